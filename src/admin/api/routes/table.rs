//! The table itself, and the rows of tenants, people and keys.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::{crud, keys, log, meta, people, totp, vendors};
use crate::control::{App, Entry, Key, Permission as P, Project, Role, Team, Tenant, User};

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
        totp::begin,
    ),
    route(
        "POST",
        "/me/totp/confirm",
        "me.totp-confirm",
        "Confirms it with a code.",
        Access::Known,
        totp::confirm,
    )
    .takes::<totp::Code>(&[])
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
        totp::remove,
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
        &super::prices::PRICES_W,
        &super::prices::PRICES,
        &super::bodies::BODIES,
        &super::bodies::POLICIES,
        &super::bodies::POLICIES_W,
        &super::history::HEALTH,
        &super::history::HISTORY,
        &super::sign_in::SIGN_IN,
        &OTHERS,
        &super::usage::ROUTES,
        super::billing::BILLING,
        &super::oauth::OTHERS,
        &super::oauth::CLIENTS,
        &super::oauth::CLIENTS_W,
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
        &super::upstream::PROVIDERS,
        &super::upstream::PROVIDERS_W,
        &super::upstream::CREDENTIALS,
        &super::upstream::CREDENTIALS_W,
        &super::upstream::MODELS,
        &super::upstream::MODELS_W,
        &super::upstream::ADDRESSES,
        &super::upstream::ADDRESSES_W,
        &super::quotas::QUOTAS,
        &super::quotas::QUOTAS_W,
        &super::quotas::USE,
        &super::notices::WEBHOOKS,
        &super::notices::WEBHOOKS_W,
        &super::notices::NOTICES,
    ];
    TABLES.iter().copied().flatten()
}
