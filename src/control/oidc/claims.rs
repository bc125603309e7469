//! What the claims about somebody make of a user: may they come in, with which role, in which teams?

use crate::config::{GroupGrant, SignInProvider};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What is known of who arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Who says so.
    pub issuer: String,
    /// Whom it is about: fixed, and nobody else's at this issuer.
    pub subject: String,
    others: Map<String, Value>,
}

/// Who arrives, as far as it can be believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The e-mail address, if there is one.
    pub email: Option<String>,
    /// Has the provider seen that it is theirs?
    pub email_verified: bool,
    /// What people call them.
    pub name: String,
    /// Groups they are in.
    pub groups: BTreeSet<String>,
}

/// What somebody is given at a sign-in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grant {
    /// The role; `None`: as it was, for nothing was configured about it.
    pub role: Option<String>,
    /// Teams they are in from now on.
    pub teams: BTreeSet<String>,
    /// Teams that the configuration speaks of; those of them that are not in `teams` are left.
    pub managed_teams: BTreeSet<String>,
}

/// Longest group name that is looked at, and how many groups.
const LONGEST_GROUP: usize = 500;
const MOST_GROUPS: usize = 2_000;

impl Claims {
    pub(super) fn new(issuer: String, subject: String, others: Map<String, Value>) -> Self {
        Self { issuer, subject, others }
    }

    /// Adds what the provider says at its `userinfo` endpoint. It has to be about the same subject.
    ///
    /// # Errors
    /// It is about somebody else, or is no object.
    pub fn add_userinfo(&mut self, text: &[u8]) -> Result<(), &'static str> {
        let more: Map<String, Value> = super::read(text).ok_or("what userinfo says is no object")?;
        if more.get("sub").and_then(Value::as_str) != Some(&self.subject) {
            return Err("userinfo speaks of somebody else");
        }
        for (name, value) in more {
            // What is signed counts more.
            self.others.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Is there a claim of this name? A dot leads into an object, as in `realm_access.roles`.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Value> {
        if let Some(found) = self.others.get(name) {
            return Some(found);
        }
        let mut parts = name.split('.');
        let first = self.others.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Who arrives.
    pub fn arrival(&self, groups_claim: Option<&str>) -> Arrival {
        let text = |name: &str| self.others.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").or_else(|| text("preferred_username")).unwrap_or_default();
        let groups = match groups_claim.and_then(|name| self.find(name)) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(list)) => {
                list.iter().take(MOST_GROUPS).filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        Arrival {
            email: text("email").map(|email| email.trim().to_owned()),
            email_verified: self.others.get("email_verified").is_some_and(is_true),
            name: name.chars().filter(|c| !c.is_control()).take(200).collect(),
            groups: groups.into_iter().filter(|group| group.len() <= LONGEST_GROUP).collect(),
        }
    }
}

/// Some providers write the switch as a text.
fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

/// What who arrives is given.
///
/// # Errors
/// Why they may not come in, for themselves to read.
pub fn grant(provider: &SignInProvider, arrival: &Arrival) -> Result<Grant, &'static str> {
    let domains = &provider.email_domains;
    if !domains.is_empty() {
        let domain = arrival.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, d)| d);
        let fits = domain.is_some_and(|d| domains.iter().any(|known| known.eq_ignore_ascii_case(d)));
        if !fits || !arrival.email_verified {
            return Err("Your account has no verified e-mail address of a domain that may come in.");
        }
    }
    if provider.groups.is_empty() {
        return Ok(Grant { role: None, ..Grant::default() });
    }
    let mine = |row: &&GroupGrant| arrival.groups.contains(&row.name);
    let role = provider.groups.iter().filter(mine).find_map(|row| row.role.clone());
    let role = role.or_else(|| provider.role.clone());
    let Some(role) = role else {
        return Err("None of your groups may come in.");
    };
    let teams = |rows: &mut dyn Iterator<Item = &GroupGrant>| -> BTreeSet<String> {
        rows.flat_map(|row| row.teams.iter().cloned()).collect()
    };
    Ok(Grant {
        role: Some(role),
        teams: teams(&mut provider.groups.iter().filter(mine)),
        managed_teams: teams(&mut provider.groups.iter()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(others: Value) -> Claims {
        Claims::new("https://op.test".into(), "ann".into(), others.as_object().unwrap().clone())
    }

    fn provider() -> SignInProvider {
        let row = |name: &str, role: Option<&str>, team: &str| GroupGrant {
            name: name.into(),
            role: role.map(str::to_owned),
            teams: vec![team.into()],
        };
        SignInProvider {
            groups: vec![
                row("hub-admins", Some("admin"), "ops"),
                row("devs", Some("member"), "dev"),
                row("readers", None, "all"),
            ],
            role: None,
            ..SignInProvider::for_tests()
        }
    }

    #[test]
    fn groups_decide_role_and_teams_and_the_first_row_wins() {
        let arrival = |groups: Value| claims(json!({ "groups": groups })).arrival(Some("groups"));
        let both = grant(&provider(), &arrival(json!(["devs", "hub-admins", "other"]))).unwrap();
        assert_eq!(both.role.as_deref(), Some("admin"));
        assert_eq!(both.teams.iter().collect::<Vec<_>>(), ["dev", "ops"]);
        assert_eq!(both.managed_teams.len(), 3);
        assert!(grant(&provider(), &arrival(json!(["readers"]))).is_err(), "a team alone is no role");
        assert!(grant(&provider(), &arrival(json!({ "devs": true }))).is_err());
        let open = SignInProvider { role: Some("guest".into()), ..provider() };
        assert_eq!(grant(&open, &arrival(json!("readers"))).unwrap().role.as_deref(), Some("guest"));
    }

    #[test]
    fn a_domain_counts_only_when_the_address_is_verified() {
        let provider =
            SignInProvider { email_domains: vec!["Corp.test".into()], ..SignInProvider::for_tests() };
        let come = |email: &str, verified: Value| {
            let arrival = claims(json!({ "email": email, "email_verified": verified })).arrival(None);
            grant(&provider, &arrival).is_ok()
        };
        assert!(come("a@corp.test", json!(true)) && come("a@CORP.TEST", json!("true")));
        assert!(!come("a@corp.test", json!(false)) && !come("a@corp.test", json!(null)));
        assert!(!come("a@notcorp.test", json!(true)) && !come("a@corp.test.evil.test", json!(true)));
        assert!(!come("corp.test", json!(true)));
    }

    #[test]
    fn userinfo_is_about_the_same_person_and_overrules_nothing_signed() {
        let mut known = claims(json!({ "email": "a@b.test", "realm": { "roles": ["x"] } }));
        assert!(known.add_userinfo(br#"{"sub":"bob","email":"c@d.test"}"#).is_err());
        assert!(known.add_userinfo(b"[]").is_err());
        known.add_userinfo(br#"{"sub":"ann","email":"c@d.test","name":"Ann\n"}"#).unwrap();
        let arrival = known.arrival(Some("realm.roles"));
        assert_eq!((arrival.email.as_deref(), arrival.name.as_str()), (Some("a@b.test"), "Ann"));
        assert!(arrival.groups.contains("x") && known.has("realm.roles") && !known.has("realm.none"));
    }
}
