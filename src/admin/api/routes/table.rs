//! The rows themselves.

use super::{Access, Answer, Route};
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use crate::admin::api::{crud, keys, log, meta, notices, people, quotas, vendors, webhooks};
use crate::control::{
    AddressRule, App, Credential, Entry, Key, Model, Permission as P, Project, Provider, Role, Team, Tenant,
    User,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Where every row starts from.
pub(super) const fn route(
    method: &'static str,
    path: &'static str,
    action: &'static str,
    summary: &'static str,
    access: Access,
    handler: fn(&Call<'_>) -> Result<Reply, Problem>,
) -> Route {
    Route {
        method,
        path,
        action,
        summary,
        access,
        body: None,
        extra: &[],
        query: &[],
        answer: Answer::Object,
        handler,
    }
}

impl Route {
    pub(super) const fn takes<T: JsonSchema>(mut self, extra: &'static [&'static str]) -> Self {
        self.body = Some(schema::<T>);
        self.extra = extra;
        self
    }

    pub(super) const fn gives(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    pub(super) const fn asked(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }
}

macro_rules! reads {
    ($path:literal, $type:ty, $name:literal, $access:expr) => {
        [
            route(
                "GET",
                concat!("/", $path),
                concat!($name, ".list"),
                concat!("Lists ", $path, "."),
                $access,
                crud::list::<$type>,
            )
            .asked(crud::LIST_QUERY)
            .gives(Answer::Page(schema::<$type>)),
            route(
                "GET",
                concat!("/", $path, "/{id}"),
                concat!($name, ".read"),
                concat!("Shows one of the ", $path, "."),
                $access,
                crud::read::<$type>,
            )
            .gives(Answer::One(schema::<$type>)),
        ]
    };
}

macro_rules! writes {
    ($path:literal, $type:ty, $name:literal, $access:expr, $extra:expr, $create:expr, $update:expr, $remove:expr) => {
        [
            route(
                "POST",
                concat!("/", $path),
                concat!($name, ".create"),
                concat!("Makes one of the ", $path, "."),
                $access,
                $create,
            )
            .takes::<$type>($extra)
            .asked(&["force"])
            .gives(Answer::Made(schema::<$type>)),
            route(
                "PATCH",
                concat!("/", $path, "/{id}"),
                concat!($name, ".update"),
                concat!("Changes one of the ", $path, " by a JSON merge patch (RFC 7396)."),
                $access,
                $update,
            )
            .takes::<$type>(&["patch"])
            .asked(&["force"])
            .gives(Answer::One(schema::<$type>)),
            route(
                "DELETE",
                concat!("/", $path, "/{id}"),
                concat!($name, ".delete"),
                concat!("Deletes one of the ", $path, "."),
                $access,
                $remove,
            )
            .asked(&["force"])
            .gives(Answer::Nothing),
        ]
    };
}

mod notices_rows;
mod oauth;
mod quota_rows;

static TENANTS: [Route; 2] = reads!("tenants", Tenant, "tenant", Access::Any(&[P::TenantsRead]));
static TENANTS_W: [Route; 3] = writes!(
    "tenants",
    Tenant,
    "tenant",
    Access::Any(&[P::TenantsWrite]),
    &["id!"],
    crud::create::<Tenant>,
    crud::update::<Tenant>,
    crud::remove::<Tenant>
);
static TEAMS: [Route; 2] = reads!("teams", Team, "team", Access::Any(&[P::TeamsRead]));
static TEAMS_W: [Route; 3] = writes!(
    "teams",
    Team,
    "team",
    Access::Any(&[P::TeamsWrite]),
    &["tenant"],
    crud::create::<Team>,
    crud::update::<Team>,
    crud::remove::<Team>
);
static PROJECTS: [Route; 2] = reads!("projects", Project, "project", Access::Any(&[P::TeamsRead]));
static PROJECTS_W: [Route; 3] = writes!(
    "projects",
    Project,
    "project",
    Access::Any(&[P::TeamsWrite]),
    &["tenant"],
    crud::create::<Project>,
    crud::update::<Project>,
    crud::remove::<Project>
);
static USERS: [Route; 2] = reads!("users", User, "user", Access::Any(&[P::UsersRead]));
static USERS_W: [Route; 3] = writes!(
    "users",
    User,
    "user",
    Access::Any(&[P::UsersWrite]),
    &["tenant", "password"],
    people::create_user,
    crud::update::<User>,
    crud::remove::<User>
);
static APPS: [Route; 2] = reads!("apps", App, "app", Access::Any(&[P::AppsRead]));
static APPS_W: [Route; 3] = writes!(
    "apps",
    App,
    "app",
    Access::Any(&[P::AppsWrite]),
    &["tenant"],
    crud::create::<App>,
    crud::update::<App>,
    crud::remove::<App>
);
static ROLES: [Route; 2] = reads!("roles", Role, "role", Access::Any(&[P::RolesRead]));
static ROLES_W: [Route; 3] = writes!(
    "roles",
    Role,
    "role",
    Access::Any(&[P::RolesWrite]),
    &["tenant"],
    crud::create::<Role>,
    crud::update::<Role>,
    crud::remove::<Role>
);
static KEYS: [Route; 2] = reads!("keys", Key, "key", Access::Any(&[P::KeysRead, P::KeysOwn]));
static KEYS_W: [Route; 3] = writes!(
    "keys",
    Key,
    "key",
    Access::Any(&[P::KeysWrite, P::KeysOwn]),
    &["tenant"],
    keys::create,
    crud::update::<Key>,
    keys::remove
);
static PROVIDERS: [Route; 2] = reads!("providers", Provider, "provider", Access::Any(&[P::ProvidersRead]));
static PROVIDERS_W: [Route; 3] = writes!(
    "providers",
    Provider,
    "provider",
    Access::Any(&[P::ProvidersWrite]),
    &[],
    crud::create::<Provider>,
    crud::update::<Provider>,
    crud::remove::<Provider>
);
static CREDENTIALS: [Route; 2] =
    reads!("credentials", Credential, "credential", Access::Any(&[P::ProvidersRead]));
static CREDENTIALS_W: [Route; 3] = writes!(
    "credentials",
    Credential,
    "credential",
    Access::Any(&[P::ProvidersWrite]),
    vendors::SECRETS,
    vendors::create,
    vendors::update,
    crud::remove::<Credential>
);
static MODELS: [Route; 2] = reads!("models", Model, "model", Access::Any(&[P::ModelsRead]));
static MODELS_W: [Route; 3] = writes!(
    "models",
    Model,
    "model",
    Access::Any(&[P::ModelsWrite]),
    &[],
    crud::create::<Model>,
    crud::update::<Model>,
    crud::remove::<Model>
);
static ADDRESSES: [Route; 2] =
    reads!("address-rules", AddressRule, "address-rule", Access::Any(&[P::AddressesRead]));
static ADDRESSES_W: [Route; 3] = writes!(
    "address-rules",
    AddressRule,
    "address-rule",
    Access::Any(&[P::AddressesWrite]),
    &["tenant"],
    crud::create::<AddressRule>,
    crud::update::<AddressRule>,
    crud::remove::<AddressRule>
);

static OTHERS: [Route; 26] = [
    route("GET", "/openapi.json", "meta.openapi", "This document.", Access::Open, meta::openapi),
    route(
        "GET",
        "/permissions",
        "meta.permissions",
        "What can be permitted, and which built-in role may do it.",
        Access::Open,
        meta::permissions,
    ),
    route(
        "POST",
        "/bootstrap",
        "owner.create",
        "Makes the hub's first owner, once.",
        Access::Open,
        people::bootstrap,
    )
    .takes::<people::FirstOwner>(&[])
    .gives(Answer::Made(schema::<User>)),
    route(
        "POST",
        "/session",
        "session.create",
        "Signs in; the answer sets a cookie.",
        Access::Open,
        people::sign_in,
    )
    .takes::<people::SignIn>(&[]),
    route("DELETE", "/session", "session.delete", "Signs out.", Access::Known, people::sign_out)
        .gives(Answer::Nothing),
    route("GET", "/sessions", "session.list", "One's own sessions.", Access::Known, people::sessions),
    route(
        "DELETE",
        "/sessions",
        "session.delete-all",
        "Signs out everywhere.",
        Access::Known,
        people::sign_out_everywhere,
    )
    .gives(Answer::Nothing),
    route("GET", "/me", "me.read", "Who one is, and what one may do.", Access::Known, people::me),
    route(
        "POST",
        "/me/password",
        "me.password",
        "Changes one's own password.",
        Access::Known,
        people::own_password,
    )
    .takes::<people::NewPassword>(&[])
    .gives(Answer::Nothing),
    route(
        "POST",
        "/me/totp",
        "me.totp",
        "A secret for one-time codes; counts once it is confirmed.",
        Access::Known,
        people::begin_totp,
    ),
    route(
        "POST",
        "/me/totp/confirm",
        "me.totp-confirm",
        "Confirms it with a code.",
        Access::Known,
        people::confirm_totp,
    )
    .takes::<people::Code>(&[])
    .gives(Answer::Nothing),
    route(
        "POST",
        "/users/{id}/password",
        "user.password",
        "Sets somebody's password, and ends their sessions.",
        Access::Any(&[P::UsersWrite]),
        people::user_password,
    )
    .takes::<people::NewPassword>(&[])
    .gives(Answer::Nothing),
    route(
        "POST",
        "/users/{id}/sign-out",
        "user.sign-out",
        "Signs somebody out everywhere.",
        Access::Any(&[P::UsersWrite]),
        people::sign_out_user,
    )
    .gives(Answer::Nothing),
    route(
        "DELETE",
        "/users/{id}/totp",
        "user.totp-delete",
        "Takes one-time codes off somebody who has lost the device.",
        Access::Any(&[P::UsersWrite]),
        people::remove_totp,
    )
    .gives(Answer::Nothing),
    route(
        "POST",
        "/keys/{id}/rotate",
        "key.rotate",
        "Gives a key a new secret; the old one may go on working for a while.",
        Access::Any(&[P::KeysWrite, P::KeysOwn]),
        keys::rotate,
    )
    .takes::<keys::Rotation>(&[])
    .gives(Answer::One(schema::<Key>)),
    route(
        "POST",
        "/keys/{id}/revoke",
        "key.revoke",
        "Revokes a key, at once and for good.",
        Access::Any(&[P::KeysWrite, P::KeysOwn]),
        keys::revoke,
    )
    .gives(Answer::One(schema::<Key>)),
    route(
        "POST",
        "/credentials/{id}/test",
        "credential.test",
        "Makes the cheapest real call with a credential.",
        Access::Any(&[P::ProvidersWrite]),
        vendors::test,
    ),
    route(
        "POST",
        "/vault/rewrap",
        "vault.rewrap",
        "Puts all secrets under the master key in use.",
        Access::Any(&[P::VaultRewrap]),
        vendors::rewrap,
    ),
    route(
        "GET",
        "/vendors",
        "meta.vendors",
        "Vendors that the hub knows.",
        Access::Any(&[P::ProvidersRead]),
        meta::vendors,
    ),
    route(
        "GET",
        "/audit",
        "audit.search",
        "Searches the audit log, the newest first.",
        Access::Any(&[P::AuditRead]),
        log::search,
    )
    .asked(log::LOG_QUERY)
    .gives(Answer::Page(schema::<Entry>)),
    route(
        "GET",
        "/audit/export",
        "audit.export",
        "Exports the audit log as JSON lines or CSV.",
        Access::Any(&[P::AuditRead]),
        log::export,
    )
    .asked(log::EXPORT_QUERY)
    .gives(Answer::Lines),
    route(
        "GET",
        "/audit/verify",
        "audit.verify",
        "Proves the audit log, or names the first broken record.",
        Access::Any(&[P::AuditVerify]),
        log::verify,
    ),
    route(
        "GET",
        "/roles/built-in",
        "role.built-in",
        "The roles that are always there.",
        Access::Any(&[P::RolesRead]),
        meta::built_in_roles,
    ),
    route(
        "GET",
        "/vault",
        "vault.read",
        "Which master key is in use, and how many secrets are under which.",
        Access::Any(&[P::ProvidersRead]),
        meta::vault,
    ),
    route(
        "GET",
        "/status",
        "meta.status",
        "Is the hub set up, and which configuration is in force?",
        Access::Open,
        meta::status,
    ),
    route(
        "GET",
        "/left-out",
        "meta.left-out",
        "What is managed but not in force, and why.",
        Access::Any(&[P::ProvidersRead]),
        meta::left_out,
    ),
];

/// Every row, each path with fixed segments before those with `{id}`.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    static TABLES: &[&[Route]] = &[
        &super::bodies::BODIES,
        &super::history::HEALTH,
        &super::history::HISTORY,
        &super::sign_in::SIGN_IN,
        &OTHERS,
        &super::usage::ROUTES,
        &oauth::OTHERS,
        &oauth::CLIENTS,
        &oauth::CLIENTS_W,
        &TENANTS,
        &TENANTS_W,
        &TEAMS,
        &TEAMS_W,
        &PROJECTS,
        &PROJECTS_W,
        &USERS,
        &USERS_W,
        &APPS,
        &APPS_W,
        &ROLES,
        &ROLES_W,
        &KEYS,
        &KEYS_W,
        &PROVIDERS,
        &PROVIDERS_W,
        &CREDENTIALS,
        &CREDENTIALS_W,
        &MODELS,
        &MODELS_W,
        &ADDRESSES,
        &ADDRESSES_W,
        &quota_rows::QUOTAS,
        &quota_rows::QUOTAS_W,
        &quota_rows::USE,
        &notices_rows::WEBHOOKS,
        &notices_rows::WEBHOOKS_W,
        &notices_rows::NOTICES,
    ];
    TABLES.iter().copied().flatten()
}
