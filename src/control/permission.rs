//! What can be permitted, and which built-in role may do it: one table, from
//! which the documented matrix, the schema and every decision come.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::borrow::Cow;
use std::fmt;

/// The roles that are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltIn {
    /// Everything.
    Owner,
    /// Everything but what owners alone decide.
    Admin,
    /// Who works with the hub: models, and keys of one's own.
    Member,
    /// Who may look at what there is.
    Guest,
}

impl BuiltIn {
    /// All of them, the most powerful first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Guest];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Guest => "guest",
        }
    }

    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }

    /// What it may do, hub-wide.
    pub fn permissions(self) -> PermissionSet {
        PERMISSIONS.iter().filter(|row| row.roles.contains(&self)).map(|row| row.permission).collect()
    }
}

/// How far a permission can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It concerns the hub as a whole; nobody who belongs to a tenant has it.
    Hub,
    /// It can be held for one tenant.
    Tenant,
}

/// One row of the table.
pub struct PermissionRow {
    /// The permission.
    pub permission: Permission,
    /// As it is written.
    pub name: &'static str,
    /// How far it can reach.
    pub reach: Reach,
    /// Built-in roles that have it.
    pub roles: &'static [BuiltIn],
    /// What it allows.
    pub what: &'static str,
}

macro_rules! permissions {
    ($($variant:ident $name:literal $reach:ident [$($role:ident)*] $what:literal;)*) => {
        /// Something that a role, a key or a session may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission { $(#[doc = $what] $variant,)* }

        /// Every permission, once.
        pub static PERMISSIONS: &[PermissionRow] = &[$(PermissionRow {
            permission: Permission::$variant,
            name: $name,
            reach: Reach::$reach,
            roles: &[$(BuiltIn::$role),*],
            what: $what,
        },)*];
    };
}

permissions! {
    Inference "inference" Tenant [Owner Admin Member] "Call models, as far as the key allows.";
    TenantsRead "tenants:read" Tenant [Owner Admin Member Guest] "See tenants; one's own, for who belongs to one.";
    TenantsWrite "tenants:write" Hub [Owner Admin] "Make, change and delete tenants.";
    TeamsRead "teams:read" Tenant [Owner Admin Member Guest] "See teams and projects.";
    TeamsWrite "teams:write" Tenant [Owner Admin] "Make, change and delete teams and projects.";
    UsersRead "users:read" Tenant [Owner Admin] "See users.";
    UsersWrite "users:write" Tenant [Owner Admin] "Make, change and delete users, set passwords, end sessions.";
    AppsRead "apps:read" Tenant [Owner Admin Member] "See apps (service accounts).";
    AppsWrite "apps:write" Tenant [Owner Admin] "Make, change and delete apps.";
    RolesRead "roles:read" Tenant [Owner Admin Member Guest] "See roles.";
    RolesWrite "roles:write" Tenant [Owner Admin] "Make, change and delete roles of one's own making.";
    KeysOwn "keys:own" Tenant [Owner Admin Member] "See, make, rotate and revoke one's own keys.";
    KeysRead "keys:read" Tenant [Owner Admin] "See all keys.";
    KeysWrite "keys:write" Tenant [Owner Admin] "Make, change, rotate and revoke all keys.";
    ModelsRead "models:read" Tenant [Owner Admin Member Guest] "See public model names and what they stand for.";
    ModelsWrite "models:write" Hub [Owner Admin] "Make, change and delete model aliases and groups.";
    ProvidersRead "providers:read" Hub [Owner Admin] "See providers and credentials (never their secrets), and their health.";
    ProvidersWrite "providers:write" Hub [Owner Admin] "Make, change and delete providers and credentials, and test them.";
    AddressesRead "addresses:read" Tenant [Owner Admin] "See address rules.";
    AddressesWrite "addresses:write" Tenant [Owner Admin] "Make, change and delete address rules.";
    QuotasRead "quotas:read" Tenant [Owner Admin Member] "See quotas, and what of them is used.";
    QuotasWrite "quotas:write" Tenant [Owner Admin] "Make, change and delete quotas.";
    WebhooksRead "webhooks:read" Tenant [Owner Admin] "See webhooks and what was delivered to them.";
    WebhooksWrite "webhooks:write" Tenant [Owner Admin] "Make, change, test and delete webhooks, and replay deliveries.";
    ClientsRead "clients:read" Tenant [Owner Admin] "See OAuth clients, and what they were allowed.";
    ClientsWrite "clients:write" Tenant [Owner Admin] "Make, change and delete OAuth clients, and end what they were allowed.";
    AuditRead "audit:read" Tenant [Owner Admin] "Search and export the audit log.";
    UsageOwn "usage:own" Tenant [Owner Admin Member] "See one's own usage and calls.";
    UsageRead "usage:read" Tenant [Owner Admin] "See all usage and calls; those of one's tenant, for who belongs to one.";
    UsageRebuild "usage:rebuild" Hub [Owner Admin] "Make the sums of usage anew from the books.";
    AuditVerify "audit:verify" Hub [Owner Admin] "Prove the audit log.";
    BodiesRead "bodies:read" Tenant [Owner] "Read kept requests and answers; each reading is in the audit log.";
    BodiesDelete "bodies:delete" Tenant [Owner Admin] "Delete kept requests and answers, and destroy their keys.";
    BodyPoliciesRead "body-policies:read" Tenant [Owner Admin Member] "See what of a tenant's requests and answers is kept.";
    BodyPoliciesWrite "body-policies:write" Tenant [Owner] "Say what of a tenant's requests and answers is kept.";
    PricesRead "prices:read" Hub [Owner Admin] "See prices, and what a new one would change.";
    PricesWrite "prices:write" Hub [Owner Admin] "Make prices, and delete those that do not hold yet.";
    HistoryImport "history:import" Hub [Owner] "Take in the history of a hub that was there before.";
    HistoryRead "history:read" Hub [Owner Admin] "See that history.";
    VaultRewrap "vault:rewrap" Hub [Owner] "Put all secrets under the master key in use.";
    BillingRead "billing:read" Tenant [Owner Admin] "See wallets, payments, allowances and statements.";
    BillingBuy "billing:buy" Tenant [Owner Admin] "Buy credits, save a card, have credits bought when few are left.";
    BillingRedeem "billing:redeem" Tenant [Owner Admin Member] "Redeem codes.";
    BillingManage "billing:manage" Hub [Owner Admin] "Give and take credits, refund, freeze, make codes and allowances, close months, see reports.";
}

impl Permission {
    /// Its row of the table.
    pub fn row(self) -> &'static PermissionRow {
        // The table and the type come from the same list.
        &PERMISSIONS[self as usize]
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        PERMISSIONS.iter().find(|row| row.name == text).map(|row| row.permission)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("there is no permission {text:?}")))
    }
}

impl JsonSchema for Permission {
    fn schema_name() -> Cow<'static, str> {
        "Permission".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = PERMISSIONS.iter().map(|row| row.name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// The table for people, in Markdown.
pub fn permission_matrix() -> String {
    let mut text = String::from("| permission | reach |");
    BuiltIn::ALL.iter().for_each(|role| text.push_str(&format!(" {} |", role.name())));
    text.push_str(" allows to |\n|---|---|:-:|:-:|:-:|:-:|---|\n");
    for row in PERMISSIONS {
        let reach = match row.reach {
            Reach::Hub => "hub",
            Reach::Tenant => "tenant",
        };
        text.push_str(&format!("| `{}` | {reach} |", row.name));
        for role in BuiltIn::ALL {
            text.push_str(if row.roles.contains(&role) { " ✓ |" } else { "  |" });
        }
        text.push_str(&format!(" {} |\n", row.what));
    }
    text
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Is it in the set?
    pub fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u64) != 0
    }

    /// Is everything of this set in the other one, too?
    pub fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What of it somebody can hold for one tenant.
    pub fn of_a_tenant(self) -> Self {
        self.iter().filter(|permission| permission.row().reach == Reach::Tenant).collect()
    }

    /// Its members, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        PERMISSIONS.iter().map(|row| row.permission).filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_type_agree_and_names_are_read_back() {
        assert!(PERMISSIONS.len() <= 64);
        for (at, row) in PERMISSIONS.iter().enumerate() {
            assert_eq!(row.permission as usize, at);
            assert_eq!(Permission::parse(row.name), Some(row.permission));
            assert_eq!(row.permission.row().name, row.name);
        }
        assert_eq!(Permission::parse("everything"), None);
    }

    #[test]
    fn the_documented_matrix_is_the_one_in_force() {
        let documented = include_str!("../../conf/permissions.md");
        let table = documented.find("| permission").map(|at| &documented[at..]);
        assert_eq!(table, Some(permission_matrix().as_str()), "run `aigne-hub permissions`");
    }

    #[test]
    fn each_role_holds_what_the_next_one_holds_and_the_owner_all() {
        for pair in BuiltIn::ALL.windows(2) {
            let (more, less) = (pair[0].permissions(), pair[1].permissions());
            assert!(less.is_within(more) && less != more, "{pair:?}");
        }
        assert_eq!(BuiltIn::Owner.permissions().iter().count(), PERMISSIONS.len());
    }

    #[test]
    fn who_belongs_to_a_tenant_never_holds_what_concerns_the_hub() {
        let of_a_tenant = BuiltIn::Owner.permissions().of_a_tenant();
        assert!(!of_a_tenant.has(Permission::ProvidersWrite) && !of_a_tenant.has(Permission::TenantsWrite));
        assert!(of_a_tenant.has(Permission::KeysWrite));
    }
}
