//! Is what somebody wrote right? Every fault is told, with its field.

mod body_policy;
mod client;
mod price;

use super::authority::{fits, project_team, role_permissions};
use super::{
    AddressRule, App, Body, BuiltIn, Credential, CredentialType, Key, Kind, Model, Owner, OwnerKind, Project,
    Provider, Record, Resource, Role, State, Team, Tenant, User,
};
use crate::access::{AddressSet, ModelFilter, network};
use crate::provider::{Auth, VENDORS, vendor};
use crate::types::{ModelName, ProviderName};

/// Longest texts that people write.
pub(super) const LONGEST_NAME: usize = 200;
pub(super) const LONGEST_COMMENT: usize = 2_000;
/// Largest PEM text of a private CA.
const LARGEST_CA: usize = 256 * 1024;
/// Longest lists.
pub(super) const LONGEST_LIST: usize = 1_000;

/// Something that is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Fault {
    /// The field, as in `targets[0].model`; empty when it is none of them.
    pub field: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl Fault {
    /// Says it.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// Everything that is wrong with `after`, seen in the state that it would enter. `before` is
/// what it replaces. `tenants` says whether there is such a tenant outside of the state.
pub fn check(
    state: &State,
    before: Option<&Record>,
    after: &Record,
    tenants: &dyn Fn(&str) -> bool,
) -> Vec<Fault> {
    let mut check = Check { state, before, after, faults: Vec::new() };
    if let Some(tenant) = after.tenant.as_ref().map(|tenant| tenant.as_str())
        && state.get(Kind::Tenant, tenant).is_none()
        && !tenants(tenant)
    {
        check.fault("tenant", format!("there is no tenant {tenant:?}"));
    }
    match &after.body {
        Body::Tenant(body) => check.tenant(body),
        Body::Team(body) => check.team(body),
        Body::Project(body) => check.project(body),
        Body::User(body) => check.user(body),
        Body::App(body) => check.app(body),
        Body::Role(body) => check.role(body),
        Body::Key(body) => check.key(body),
        Body::Provider(body) => check.provider(body),
        Body::Credential(body) => check.credential(body),
        Body::Model(body) => check.model(body),
        Body::AddressRule(body) => check.address_rule(body),
        Body::Account(body) => check.account(body),
        // Only the hub itself writes payments.
        Body::Payment(_) => {}
        Body::Code(body) => check.code(body),
        Body::Allowance(body) => check.allowance(body),
        Body::Webhook(body) => check.webhook(body),
        Body::Quota(body) => check.quota(body),
        Body::Client(body) => check.client(body),
        Body::BodyPolicy(body) => check.body_policy(body),
        Body::Price(body) => check.price(body),
    }
    check.faults
}

pub(super) struct Check<'a> {
    state: &'a State,
    before: Option<&'a Record>,
    after: &'a Record,
    faults: Vec<Fault>,
}

impl Check<'_> {
    pub(super) fn after(&self) -> &Record {
        self.after
    }

    pub(super) fn fault(&mut self, field: &str, detail: impl Into<String>) {
        self.faults.push(Fault::new(field, detail));
    }

    pub(super) fn text(&mut self, field: &str, text: &str, longest: usize) {
        if text.chars().count() > longest {
            self.fault(field, format!("is longer than {longest} characters"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            self.fault(field, "has control characters");
        }
    }

    pub(super) fn name(&mut self, name: &str) {
        if name.trim().is_empty() {
            self.fault("name", "is missing");
        }
        self.text("name", name, LONGEST_NAME);
    }

    pub(super) fn list(&mut self, field: &str, length: usize) {
        if length > LONGEST_LIST {
            self.fault(field, format!("has more than {LONGEST_LIST} entries"));
        }
    }

    /// Something of the same tenant.
    pub(super) fn reference(&mut self, field: &str, kind: Kind, id: &str) {
        let found = self.state.get(kind, id).filter(|record| record.tenant == self.after.tenant);
        if found.is_none() {
            self.fault(field, format!("there is no {} {id:?} here", kind.name()));
        }
    }

    /// A field that stays as it was.
    pub(super) fn fixed<R: Resource, T: PartialEq>(&mut self, field: &str, of: impl Fn(&R) -> T) {
        let before = self.before.and_then(Record::is::<R>).map(&of);
        let after = self.after.is::<R>().map(&of);
        if before.is_some() && before != after {
            self.fault(field, "cannot be changed; make a new one");
        }
    }

    /// Another of the kind that is called the same.
    pub(super) fn unique<R: Resource>(&mut self, field: &str, same: impl Fn(&Record, &R) -> bool) {
        let taken =
            self.state.each::<R>().any(|(record, body)| record.id != self.after.id && same(record, body));
        if taken {
            self.fault(field, format!("there is already a {} with this {field}", R::KIND.name()));
        }
    }

    fn tenant(&mut self, body: &Tenant) {
        self.text("name", &body.name, LONGEST_NAME);
        self.text("comment", &body.comment, LONGEST_COMMENT);
    }

    fn team(&mut self, body: &Team) {
        self.name(&body.name);
        self.list("members", body.members.len());
        for (index, member) in body.members.iter().take(LONGEST_LIST).enumerate() {
            self.reference(&format!("members[{index}]"), Kind::User, member);
        }
    }

    fn project(&mut self, body: &Project) {
        self.name(&body.name);
        if let Some(team) = &body.team {
            self.reference("team", Kind::Team, team);
        }
    }

    fn user(&mut self, body: &User) {
        self.text("name", &body.name, LONGEST_NAME);
        let plausible =
            body.email.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
        if !plausible || body.email.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.fault("email", "is no e-mail address");
        }
        self.text("email", &body.email, LONGEST_NAME);
        let email = body.email.to_lowercase();
        self.unique::<User>("email", |_, other| other.email.to_lowercase() == email);
        self.role_name(&body.role);
        let was_owner = self.before.is_some_and(is_hub_owner);
        if was_owner && !is_hub_owner(self.after) {
            let owners = self.state.all(Kind::User).filter(|record| is_hub_owner(record)).count();
            if owners <= 1 {
                self.fault("role", "is the last owner of the hub; make another one first");
            }
        }
    }

    fn app(&mut self, body: &App) {
        self.name(&body.name);
        self.role_name(&body.role);
        if let Some(project) = &body.project {
            self.reference("project", Kind::Project, project);
        }
    }

    fn role_name(&mut self, role: &str) {
        if role.is_empty() {
            self.fault("role", "is missing");
        } else if role_permissions(self.state, role, self.after.tenant.as_ref()).is_none() {
            self.fault("role", format!("there is no role {role:?} here"));
        }
    }

    fn role(&mut self, body: &Role) {
        self.name(&body.name);
        self.text("comment", &body.comment, LONGEST_COMMENT);
        if BuiltIn::parse(&body.name).is_some() {
            self.fault("name", "is that of a built-in role");
        }
        let tenant = self.after.tenant.clone();
        self.unique::<Role>("name", |record, other| other.name == body.name && record.tenant == tenant);
        for (index, permission) in body.permissions.iter().enumerate() {
            if !fits(*permission, self.after.tenant.as_ref()) {
                self.fault(&format!("permissions[{index}]"), "concerns the hub as a whole, not a tenant");
            }
        }
    }

    fn key(&mut self, body: &Key) {
        self.text("name", &body.name, LONGEST_NAME);
        self.fixed::<Key, _>("owner", |key| key.owner.clone());
        match &body.owner {
            Some(Owner { kind: OwnerKind::User, id }) => self.reference("owner", Kind::User, id),
            Some(Owner { kind: OwnerKind::App, id }) => self.reference("owner", Kind::App, id),
            None if body.scopes.iter().any(|scope| *scope != super::Permission::Inference) => {
                self.fault("scopes", "only a key with an owner can do more than call models");
            }
            None => {}
        }
        self.key_team(body);
        self.list("models", body.models.len());
        for (index, pattern) in body.models.iter().enumerate().take(LONGEST_LIST) {
            if let Err(error) = ModelFilter::new(vec![pattern.clone()]) {
                self.fault(&format!("models[{index}]"), error);
            }
        }
        for (field, list) in [("allow", &body.allow), ("deny", &body.deny)] {
            self.list(field, list.len());
            for (index, entry) in list.iter().enumerate().take(LONGEST_LIST) {
                if let Err(error) = AddressSet::parse(&[entry]) {
                    self.fault(&format!("{field}[{index}]"), error);
                }
            }
        }
        for (field, cost) in [("day_cost", body.day_cost), ("month_cost", body.month_cost)] {
            if cost.is_some_and(|cost| cost < crate::types::Pico::ZERO) {
                self.fault(field, "cannot be negative");
            }
        }
    }

    /// Whose calls count for which team is not the key's to choose freely, or a quota could be escaped.
    fn key_team(&mut self, body: &Key) {
        let Some(id) = &body.team else { return };
        self.reference("team", Kind::Team, id);
        let Some(team) = self.state.find::<Team>(id) else { return };
        let theirs = match &body.owner {
            None => true,
            Some(Owner { kind: OwnerKind::User, id }) => team.members.contains(id),
            Some(Owner { kind: OwnerKind::App, id: app }) => {
                let own = self.state.find::<App>(app).and_then(|app| project_team(self.state, app));
                own.is_none_or(|own| own == *id)
            }
        };
        if !theirs {
            self.fault("team", "is not a team of the key's owner");
        }
    }

    fn provider(&mut self, body: &Provider) {
        self.fixed::<Provider, _>("name", |provider| provider.name.clone());
        if let Err(error) = ProviderName::parse(&body.name) {
            self.fault("name", error.to_string());
        }
        self.unique::<Provider>("name", |_, other| other.name == body.name);
        if vendor(&body.vendor).is_none() {
            let names: Vec<&str> = VENDORS.iter().map(|vendor| vendor.name).collect();
            self.fault(
                "vendor",
                format!("there is no vendor {:?}; known are {}", body.vendor, names.join(", ")),
            );
        }
        let wants_region = body.base_url.as_ref().is_some_and(|url| url.contains("{region}"));
        match (&body.region, wants_region) {
            (None, true) => self.fault("region", "is missing; base_url asks for it"),
            (Some(region), _) if !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
                self.fault("region", "has letters, digits and '-' only");
            }
            _ => {}
        }
        self.list("labels", body.labels.len());
        self.list("headers", body.headers.len());
        self.list("models", body.models.as_ref().map_or(0, Vec::len));
        if body.ca.as_ref().is_some_and(|text| text.len() > LARGEST_CA) {
            self.fault("ca", format!("is longer than {LARGEST_CA} bytes"));
        }
    }

    fn credential(&mut self, body: &Credential) {
        self.fixed::<Credential, _>("provider", |credential| credential.provider.clone());
        self.fixed::<Credential, _>("name", |credential| credential.name.clone());
        if ProviderName::parse(&body.name).is_err() {
            self.fault("name", "may have letters, digits, '-', '_', '.', at most 64");
        }
        match self.state.find::<Provider>(&body.provider) {
            None => self.fault("provider", format!("there is no provider with the id {:?}", body.provider)),
            Some(provider) => {
                let signs = vendor(&provider.vendor).is_some_and(|v| matches!(v.auth, Auth::SigV4(_)));
                if body.kind == CredentialType::AccessKeyPair && !signs {
                    self.fault("type", format!("vendor {} takes no pair of keys", provider.vendor));
                }
            }
        }
        self.unique::<Credential>("name", |_, other| {
            other.name == body.name && other.provider == body.provider
        });
        if body.weight.is_some_and(|weight| !(1..=1_000_000).contains(&weight)) {
            self.fault("weight", "must be from 1 to 1000000; switch the credential off to stop using it");
        }
        self.list("models", body.models.len());
    }

    fn model(&mut self, body: &Model) {
        if let Err(error) = ModelName::parse(&body.name) {
            self.fault("name", error.to_string());
        }
        self.unique::<Model>("name", |_, other| other.name == body.name);
        self.list("targets", body.targets.len());
        self.list("fallback", body.fallback.len());
    }

    fn address_rule(&mut self, body: &AddressRule) {
        self.fixed::<AddressRule, _>("key", |rule| rule.key.clone());
        self.text("comment", &body.comment, LONGEST_COMMENT);
        if network(&body.network).is_none() {
            self.fault("network", format!("neither an address nor a CIDR: {:?}", body.network));
        }
        if let Some(key) = &body.key {
            self.reference("key", Kind::Key, key);
        }
    }
}

/// Does this user own the hub, and can sign in?
pub fn is_hub_owner(record: &Record) -> bool {
    let owner = BuiltIn::Owner.name();
    record.tenant.is_none() && record.is::<User>().is_some_and(|user| user.role == owner && user.enabled.0)
}
