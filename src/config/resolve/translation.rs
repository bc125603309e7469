//! `[translation]`: names of fields become a policy.

use super::Resolver;
use crate::chat::{Field, Policy, Stance};
use crate::config::at::At;
use crate::config::check::nearest;
use crate::config::{Model, Translation, raw};
use crate::types::ModelName;
use std::collections::HashMap;
use std::sync::Arc;

impl Resolver<'_> {
    pub(super) fn translation(
        &mut self,
        raw: &raw::Translation,
        models: &HashMap<ModelName, Arc<Model>>,
    ) -> Translation {
        let policy = self.policy([&raw.pass, &raw.adapt, &raw.refuse]);
        let mut own = HashMap::new();
        for at in &raw.model {
            let lists = [&at.value.pass, &at.value.adapt, &at.value.refuse];
            let its = policy.clone().then(&self.policy(lists));
            let Some(name) = &at.value.name else { continue };
            let is_known =
                models.keys().any(|known| known.as_str() == name.value) || name.value.contains('/');
            if !is_known {
                let known: Vec<&str> = models.keys().map(ModelName::as_str).collect();
                let hint = nearest(&name.value, &known).map(|near| format!("; did you mean {near}?"));
                let hint = hint.unwrap_or_default();
                self.notes.at(&name.span, format!("there is no model {}{hint}", name.value));
            }
            if own.insert(name.value.as_str().into(), Arc::new(its)).is_some() {
                self.notes.at(&name.span, format!("{} has its fields already", name.value));
            }
        }
        Translation { policy: Arc::new(policy), models: own, by_request: raw.by_request.unwrap_or(true) }
    }

    /// The lists of fields that pass, are adapted and are refused, as one policy. A field is in one of them.
    fn policy(&mut self, lists: [&Vec<At<String>>; 3]) -> Policy {
        let mut seen: Vec<&str> = Vec::new();
        let mut policy = Policy::default();
        for (list, stance) in lists.into_iter().zip([Stance::Pass, Stance::Adapt, Stance::Refuse]) {
            for at in list {
                match Policy::read(std::iter::once(at.value.as_str()), stance) {
                    Ok(one) => policy = policy.then(&one),
                    Err(name) => {
                        let known: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
                        let hint = match nearest(name, &known) {
                            Some(near) => format!("did you mean {near}?"),
                            None => format!("known are {}", known.join(", ")),
                        };
                        self.notes.at(&at.span, format!("{name:?} is no field; {hint}"));
                    }
                }
                if at.value != "*" && seen.contains(&at.value.as_str()) {
                    self.notes.at(&at.span, format!("{} is in two lists", at.value));
                }
                seen.push(&at.value);
            }
        }
        policy
    }
}
