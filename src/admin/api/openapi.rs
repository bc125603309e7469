//! The OpenAPI 3.1 document, made from the route table: what is published is
//! what is served.

use super::dispatch::ROOT;
use super::routes::{Access, Answer, Route, routes};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_lowercase(), operation);
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".into(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AIGNE Hub control plane",
            "version": "1",
            "description": "Manages tenants, people, keys, providers and rules while the hub runs. Lists are \
                            pages: go on with `after` (`before` in the audit log) set to what `next` says.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": ROOT }],
        "security": [{ "bearer": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A key with scopes, or the operator's token." },
                "session": { "type": "apiKey", "in": "cookie", "name": super::people::COOKIE },
            },
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A refusal (RFC 9457).",
        "required": ["type", "title", "status", "detail", "errors"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "description": "Everything that is wrong, by field.",
                "items": {
                    "type": "object",
                    "required": ["field", "detail"],
                    "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
                },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": route.action,
        "summary": route.summary,
        "description": permission_text(route.access),
        "tags": [route.path.split('/').nth(1).unwrap_or_default()],
        "parameters": parameters(route),
        "responses": responses(route, generator),
    });
    let Some(map) = operation.as_object_mut() else { return operation };
    if matches!(route.access, Access::Open) {
        map.insert("security".into(), json!([]));
    }
    if let Some(body) = route.body {
        let schema = taken(route, body(generator), generator);
        let patch = route.method == "PATCH";
        let content = if patch { "application/merge-patch+json" } else { "application/json" };
        map.insert(
            "requestBody".into(),
            json!({ "required": true, "content": { content: { "schema": schema } } }),
        );
    }
    operation
}

fn permission_text(access: Access) -> String {
    match access {
        Access::Open => "Needs no permission.".to_owned(),
        Access::Known => "For whoever is known.".to_owned(),
        Access::Any(permissions) => {
            let names: Vec<String> = permissions.iter().map(|permission| format!("`{permission}`")).collect();
            format!("Needs {}.", names.join(" or "))
        }
    }
}

/// The schema of a type itself, not a reference to it.
fn resolved(schema: Schema, generator: &SchemaGenerator) -> Value {
    let value = schema.to_value();
    let name = value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let found = name.and_then(|name| generator.definitions().get(name));
    found.cloned().unwrap_or(value)
}

/// What a request may hold: the fields of the type, and those of the row.
fn taken(route: &Route, schema: Schema, generator: &SchemaGenerator) -> Value {
    let mut schema = resolved(schema, generator);
    let is_patch = route.extra.contains(&"patch");
    for extra in route.extra.iter().filter(|extra| **extra != "patch") {
        let name = extra.trim_end_matches('!');
        schema["properties"][name] = json!({ "type": ["string", "null"] });
        if extra.ends_with('!') {
            schema["properties"][name] = json!({ "type": "string" });
            match schema.get_mut("required").and_then(Value::as_array_mut) {
                Some(required) => required.push(json!(name)),
                None => schema["required"] = json!([name]),
            }
        }
    }
    if let (true, Some(map)) = (is_patch, schema.as_object_mut()) {
        map.remove("required");
    }
    schema
}

/// What an answer holds: the fields of the type, and those that the hub adds.
fn shown(schema: Schema, generator: &SchemaGenerator) -> Value {
    let mut schema = resolved(schema, generator);
    if let Some(map) = schema.as_object_mut() {
        // Things of the file and of the environment lack what nobody wrote about them.
        map.remove("additionalProperties");
        map.remove("required");
        if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("id".into(), json!({ "type": "string" }));
            properties
                .insert("source".into(), json!({ "enum": ["control", "file", "environment", "built_in"] }));
            properties.insert("version".into(), json!({ "type": "integer" }));
            properties.insert("created_at".into(), json!({ "type": "string", "format": "date-time" }));
            properties.insert("updated_at".into(), json!({ "type": "string", "format": "date-time" }));
        }
    }
    schema
}

fn parameters(route: &Route) -> Vec<Value> {
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        let schema = json!({ "type": "string", "minLength": 1 });
        parameters.push(json!({ "name": "id", "in": "path", "required": true, "schema": schema }));
    }
    for name in route.asked_by() {
        let schema = match name {
            "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 500 }),
            "before" => json!({ "type": "integer", "minimum": 1 }),
            "force" => json!({ "type": "boolean" }),
            "from" | "to" => json!({ "type": "string", "format": "date-time" }),
            "outcome" if route.path.starts_with("/audit") => json!({ "enum": ["done", "refused"] }),
            _ => json!({ "type": "string" }),
        };
        parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
    }
    if matches!(route.answer, Answer::Made(_)) && !matches!(route.access, Access::Open) {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": schema,
            "description": "Sent again with the same name within a day, the request gets the same answer, \
                            without what is shown only once.",
        }));
    }
    if route.path.contains("{id}") && route.method != "GET" {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "schema": { "type": "string" },
            "description": "The `ETag` of what is to be changed; 412 when it was changed meanwhile.",
        }));
    }
    parameters
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let json_of = |schema: Value| json!({ "application/json": { "schema": schema } });
    let (status, content) = match route.answer {
        Answer::Nothing => ("204", None),
        Answer::One(schema) => ("200", Some(json_of(shown(schema(generator), generator)))),
        Answer::Made(schema) => ("201", Some(json_of(shown(schema(generator), generator)))),
        Answer::Page(schema) => {
            let item = shown(schema(generator), generator);
            let page = json!({
                "type": "object",
                "required": ["items", "next"],
                "properties": { "items": { "type": "array", "items": item }, "next": { "type": ["string", "null"] } },
            });
            ("200", Some(json_of(page)))
        }
        Answer::Object => ("200", Some(json_of(json!({ "type": "object" })))),
        Answer::Either(kinds) => {
            let mut content = json_of(json!({ "type": "object" }));
            for kind in kinds {
                content[*kind] = json!({ "schema": { "type": "string" } });
            }
            ("200", Some(content))
        }
        Answer::Html => ("200", Some(json!({ "text/html": { "schema": { "type": "string" } } }))),
        Answer::Lines => {
            let text = json!({ "schema": { "type": "string" } });
            ("200", Some(json!({ "application/x-ndjson": text, "text/csv": text })))
        }
    };
    let mut done = json!({ "description": "Done." });
    if let Some(content) = content {
        done["content"] = content;
    }
    let mut refused = json!({
        "description": "Refused.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    if matches!(route.answer, Answer::Html) {
        refused["content"]["text/html"] = json!({ "schema": { "type": "string" } });
    }
    json!({ status: done, "default": refused })
}
