//! By what settlements can be told apart: who called, what was called, and how
//! it ended. Each of the three is one thing with a number, because its parts
//! come together: a key has one tenant, a credential one provider.

use super::sums::Sums;
use crate::ledger::{Outcome, Settlement};
use crate::types::Op;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Stands for names that came when there was no room for more.
pub const OTHER: &str = "(other)";

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Who {
    /// Who pays.
    pub tenant: Arc<str>,
    /// The team, if the key has one.
    pub team: Option<Arc<str>>,
    /// The user whose key it is.
    pub user: Option<Arc<str>>,
    /// The app whose key it is.
    pub app: Option<Arc<str>>,
    /// The key.
    pub key: Arc<str>,
}

/// What was called.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Who answered, or the last that was tried.
    pub provider: Arc<str>,
    /// As the caller named it.
    pub model: Arc<str>,
    /// The model there.
    pub upstream_model: Arc<str>,
    /// The credential; empty when none was used.
    pub credential: Arc<str>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// What was asked for.
    pub op: Op,
    /// How it ended.
    pub outcome: Outcome,
    /// First digit of the status that the caller saw; 0 when nobody knows.
    pub class: u8,
    /// The error's name, or empty.
    pub error: Arc<str>,
}

impl Who {
    /// Who made the request of a settlement.
    pub fn of(settlement: &Settlement) -> Self {
        Self {
            tenant: Arc::clone(settlement.tenant.shared()),
            team: settlement.party.team.clone(),
            user: settlement.party.user.clone(),
            app: settlement.party.app.clone(),
            key: Arc::clone(settlement.key.shared()),
        }
    }

    /// Somebody of this tenant.
    pub(super) fn other(&self) -> Self {
        Self { tenant: Arc::clone(&self.tenant), team: None, user: None, app: None, key: OTHER.into() }
    }
}

impl Target {
    /// What a settlement says was called.
    pub fn of(settlement: &Settlement) -> Self {
        Self {
            provider: Arc::clone(&settlement.provider),
            model: Arc::clone(&settlement.model),
            upstream_model: Arc::clone(&settlement.upstream_model),
            credential: Arc::clone(&settlement.credential),
        }
    }

    /// Some model of this provider.
    pub(super) fn other(&self) -> Self {
        let provider = Arc::clone(&self.provider);
        Self {
            provider,
            model: OTHER.into(),
            upstream_model: OTHER.into(),
            credential: self.credential.clone(),
        }
    }
}

impl End {
    /// How a settlement says it ended.
    pub fn of(settlement: &Settlement) -> Self {
        Self {
            op: settlement.op,
            outcome: settlement.outcome,
            class: u8::try_from(settlement.status / 100).unwrap_or(0),
            error: Arc::clone(&settlement.error),
        }
    }
}

/// Something by which sums can be grouped and chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Who pays.
    Tenant,
    /// The key's team.
    Team,
    /// The key's user.
    User,
    /// The key's app.
    App,
    /// The key.
    Key,
    /// Who answered.
    Provider,
    /// The model as called.
    Model,
    /// The model at the provider.
    UpstreamModel,
    /// The credential.
    Credential,
    /// What was asked for.
    Operation,
    /// How it ended.
    Outcome,
    /// The class of the status: 2xx, 4xx, 5xx; 0xx when nobody knows.
    Status,
    /// The error's name.
    Error,
}

/// Which of the three a dimension is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who called.
    Who,
    /// What was called.
    Target,
    /// How it ended.
    End,
}

/// What each dimension is called, and where it is.
const TABLE: &[(Dimension, &str, Part)] = &[
    (Dimension::Tenant, "tenant", Part::Who),
    (Dimension::Team, "team", Part::Who),
    (Dimension::User, "user", Part::Who),
    (Dimension::App, "app", Part::Who),
    (Dimension::Key, "key", Part::Who),
    (Dimension::Provider, "provider", Part::Target),
    (Dimension::Model, "model", Part::Target),
    (Dimension::UpstreamModel, "upstream_model", Part::Target),
    (Dimension::Credential, "credential", Part::Target),
    (Dimension::Operation, "operation", Part::End),
    (Dimension::Outcome, "outcome", Part::End),
    (Dimension::Status, "status", Part::End),
    (Dimension::Error, "error", Part::End),
];

/// What is a part of nothing has no name: an error that there was none of, a key without a team.
pub type Label = Option<Arc<str>>;

impl Dimension {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(dimension, ..)| *dimension)
    }

    /// Its name in questions and answers.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(own, ..)| *own == self).map_or("", |(_, name, _)| name)
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, own, _)| *own == name).map(|(dimension, ..)| *dimension)
    }

    /// What it is a part of.
    pub fn part(self) -> Part {
        TABLE.iter().find(|(own, ..)| *own == self).map_or(Part::Who, |(_, _, part)| *part)
    }

    /// What it says of who called.
    pub fn of_who(self, who: &Who) -> Label {
        match self {
            Dimension::Tenant => Some(Arc::clone(&who.tenant)),
            Dimension::Team => who.team.clone(),
            Dimension::User => who.user.clone(),
            Dimension::App => who.app.clone(),
            Dimension::Key => Some(Arc::clone(&who.key)),
            _ => None,
        }
    }

    /// What it says of what was called.
    pub fn of_target(self, target: &Target) -> Label {
        let text = match self {
            Dimension::Provider => &target.provider,
            Dimension::Model => &target.model,
            Dimension::UpstreamModel => &target.upstream_model,
            Dimension::Credential => &target.credential,
            _ => return None,
        };
        (!text.is_empty()).then(|| Arc::clone(text))
    }

    /// What it says of how it ended.
    pub fn of_end(self, end: &End) -> Label {
        match self {
            Dimension::Operation => Some(end.op.name().into()),
            Dimension::Outcome => Some(end.outcome.name().into()),
            Dimension::Status => Some(format!("{}xx", end.class).into()),
            Dimension::Error => (!end.error.is_empty()).then(|| Arc::clone(&end.error)),
            _ => None,
        }
    }
}

/// What one settlement says, in the three parts and their sums.
pub fn facts(settlement: &Settlement) -> (Who, Target, End, Sums) {
    (Who::of(settlement), Target::of(settlement), End::of(settlement), Sums::of(settlement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_has_one_row_and_its_name_is_read_back() {
        for dimension in Dimension::all() {
            assert_eq!(Dimension::parse(dimension.name()), Some(dimension));
            assert_eq!(TABLE.iter().filter(|(own, ..)| *own == dimension).count(), 1);
        }
        assert_eq!(Dimension::parse("weather"), None);
    }
}
