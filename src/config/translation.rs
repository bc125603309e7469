//! What operators and callers want done with fields that a vendor cannot take.

use crate::chat::{Policy, Stance};
use crate::error::{Failure, Kind, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// What the file says of translations.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// For models without a word of their own.
    pub policy: Arc<Policy>,
    /// By the name that callers write; with what holds for all.
    pub models: HashMap<Box<str>, Arc<Policy>>,
    /// May requests say it for themselves?
    pub by_request: bool,
}

/// What one request says for itself, by its headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wished<'a> {
    /// `x-aigne-adapt`
    pub adapt: Option<&'a str>,
    /// `x-aigne-refuse`
    pub refuse: Option<&'a str>,
}

impl Translation {
    /// The policy of one request. Its wish to adapt yields to what the operator says, and its wish to
    /// refuse goes over that.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] for a name that is no field's.
    pub fn policy(&self, model: &str, wished: Wished<'_>) -> Result<Arc<Policy>> {
        let ours = self.models.get(model).unwrap_or(&self.policy);
        if !self.by_request || (wished.adapt.is_none() && wished.refuse.is_none()) {
            return Ok(Arc::clone(ours));
        }
        let read = |header: &'static str, text: Option<&str>, stance| {
            Policy::read(text.unwrap_or_default().split(','), stance).map_err(|name| {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                let text = format!("The header `{header}` names `{shown}`, which is no field.");
                Failure::new(Kind::InvalidRequest, text).param(header)
            })
        };
        let adapt = read("x-aigne-adapt", wished.adapt, Stance::Adapt)?;
        let refuse = read("x-aigne-refuse", wished.refuse, Stance::Refuse)?;
        Ok(Arc::new(adapt.then(ours).then(&refuse)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Field;

    fn translation(by_request: bool) -> Translation {
        let policy = |name: &str, stance| Arc::new(Policy::read([name].into_iter(), stance).unwrap());
        let own = policy("top_k", Stance::Refuse);
        let models = HashMap::from([("strict".into(), own)]);
        Translation { policy: policy("seed", Stance::Refuse), models, by_request }
    }

    #[test]
    fn a_request_can_be_stricter_and_never_gets_what_the_operator_refuses() {
        let translation = translation(true);
        let wished = Wished { adapt: Some("seed, n"), refuse: Some("temperature") };
        let policy = translation.policy("m", wished).unwrap();
        assert_eq!(policy.stance(Field::Seed), Stance::Refuse);
        assert_eq!(policy.stance(Field::Choices), Stance::Adapt);
        assert_eq!(policy.stance(Field::Temperature), Stance::Refuse);
        assert_eq!(policy.stance(Field::TopP), Stance::Adapt);
    }

    #[test]
    fn a_model_has_its_own_and_headers_may_be_switched_off() {
        let wished = Wished { adapt: None, refuse: Some("*") };
        let policy = translation(true).policy("strict", wished).unwrap();
        assert_eq!(policy.stance(Field::TopK), Stance::Refuse);
        assert_eq!(policy.stance(Field::TopP), Stance::Refuse);
        assert_eq!(policy.stance(Field::MaxOutputTokens), Stance::Adapt, "nothing is lost by it");
        let off = translation(false).policy("m", wished).unwrap();
        assert_eq!(off.stance(Field::TopP), Stance::Adapt);
    }

    #[test]
    fn a_name_that_is_no_field_is_told() {
        let wished = Wished { adapt: Some("temperatur"), refuse: None };
        let failure = translation(true).policy("m", wished).unwrap_err();
        assert!(failure.public.contains("temperatur"), "{}", failure.public);
        assert_eq!(failure.param.as_deref(), Some("x-aigne-adapt"));
    }
}
