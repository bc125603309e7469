//! `toolConfig`: the tools, which of them must be called, and those that are only remembered.

use super::ids::tool_name;
use super::output::{ANSWER_TOOL, Form};
use super::traits::Family;
use crate::chat::{Adapted, Array, CacheHint, Field, ModelTraits, Object, Output, Part, Request, ToolChoice};
use crate::error::Result;
use std::collections::BTreeSet;

/// Writes `toolConfig`, if there is anything to say.
pub(super) fn write(
    object: &mut Object<'_>,
    request: &Request,
    traits: &ModelTraits,
    form: Form,
    adapted: &mut Adapted,
) -> Result<()> {
    for tool in &request.hosted_tools {
        adapted.drop_named(Field::HostedTool, tool.kind.clone(), "dropped")?;
    }
    if form == Form::Tool {
        write_answer_tool(object, &request.output);
        return Ok(());
    }
    let none = request.tool_choice == Some(ToolChoice::None) && !request.tools.is_empty();
    if none {
        adapted.drop_named(Field::ToolChoice, Field::ToolChoice.name(), "the tools are left out")?;
    }
    let left_out = none || !takes_tools(request, traits, adapted)?;
    if left_out {
        return write_called(object, request);
    }
    adapted.drop_if(request.parallel_tool_calls == Some(false), Field::ParallelToolCalls)?;
    let strict = request.tools.iter().any(|tool| tool.strict.is_some());
    let strict = strict && (traits.strict_tools || adapted.adapt(Field::StrictTools, "dropped")?.passes());
    let family = Family::of(&request.model.to_ascii_lowercase());
    let choice = choice(request, family, adapted)?;
    object.object("toolConfig", |config| {
        config.array("tools", |array| {
            for tool in &request.tools {
                let name = tool_name(&tool.name)?;
                array.object(|object| {
                    object.object("toolSpec", |spec| {
                        spec.put("name", name);
                        // Empty texts are refused.
                        spec.put_some(
                            "description",
                            tool.description.as_ref().filter(|text| !text.is_empty()),
                        );
                        spec.object("inputSchema", |schema| schema.put("json", &tool.schema_or_empty()));
                        spec.put_some("strict", tool.strict.filter(|_| strict));
                    });
                });
                // Amazon's own models keep no tools in their caches.
                if family == Family::Claude && traits.cache_hints {
                    write_cache_point(array, tool.cache);
                }
            }
            Ok(())
        })?;
        if let Some((kind, name)) = choice {
            config.object("toolChoice", |choice| {
                choice.object(kind, |object| object.put_some("name", name));
            });
        }
        Ok(())
    })
}

/// Appends a mark where a prompt cache may end.
pub(super) fn write_cache_point(array: &mut Array<'_>, hint: Option<CacheHint>) {
    let Some(hint) = hint else { return };
    array.object(|object| {
        object.object("cachePoint", |point| {
            point.put("type", "default");
            if hint == CacheHint::OneHour {
                point.put("ttl", "1h");
            }
        });
    });
}

fn takes_tools(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<bool> {
    if request.tools.is_empty() {
        return Ok(false);
    }
    Ok(traits.tools || adapted.adapt(Field::Tools, "dropped")?.passes())
}

/// The member of `toolChoice`, and the tool in it.
fn choice<'a>(
    request: &'a Request,
    family: Family,
    adapted: &mut Adapted,
) -> Result<Option<(&'static str, Option<&'a str>)>> {
    let choice = match &request.tool_choice {
        // What a model does when nothing is said.
        None | Some(ToolChoice::Auto | ToolChoice::None) => return Ok(None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(tool_name(name)?)),
    };
    let takes = family.takes_choice() || adapted.adapt(Field::ToolChoice, "left to the model")?.passes();
    Ok(takes.then_some(choice))
}

/// The one tool that stands for the answer, and that must be called.
fn write_answer_tool(object: &mut Object<'_>, output: &Output) {
    let Output::JsonSchema { schema, description, .. } = output else { return };
    object.object("toolConfig", |config| {
        config.array("tools", |array| {
            array.object(|object| {
                object.object("toolSpec", |spec| {
                    spec.put("name", ANSWER_TOOL);
                    let text = description.as_deref().filter(|text| !text.is_empty());
                    spec.put("description", text.unwrap_or("Gives the answer."));
                    spec.object("inputSchema", |input| input.put("json", schema));
                });
            });
        });
        config.object("toolChoice", |choice| {
            choice.object("tool", |tool| tool.put("name", ANSWER_TOOL));
        });
    });
}

/// The vendor wants to know the tools that a conversation has called, also when none may be
/// called any more. They have no word for that, so their descriptions say it.
fn write_called(object: &mut Object<'_>, request: &Request) -> Result<()> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let names: BTreeSet<&str> = parts
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.name.as_str()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    object.object("toolConfig", |config| {
        config.array("tools", |array| {
            for name in names {
                let name = tool_name(name)?;
                array.object(|object| {
                    object.object("toolSpec", |spec| {
                        spec.put("name", name);
                        spec.put("description", "No longer available; do not call it.");
                        spec.object("inputSchema", |input| {
                            input.object("json", |json| json.put("type", "object"));
                        });
                    });
                });
            }
            Ok(())
        })
    })
}
