//! `[[bodies]]`, and policies that are managed.

use super::Resolver;
use crate::config::at::At;
use crate::config::bodies::{keep, max_bytes, path, pattern, percent};
use crate::config::raw;
use crate::config::{BodyPolicy, BodyPolicyText, LeftOut, Problem};
use crate::types::TenantId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

impl Resolver<'_> {
    /// The policy of each tenant that has one. Where the file has one, it wins.
    pub(super) fn bodies(
        &mut self,
        list: &[At<raw::Bodies>],
        managed: &[(TenantId, BodyPolicyText)],
    ) -> HashMap<TenantId, Arc<BodyPolicy>> {
        let mut policies = HashMap::new();
        for at in list {
            let policy = self.body_policy(&at.value);
            let Some(tenant) = &at.value.tenant else { continue };
            let Some(id) = self.note(&tenant.span, TenantId::parse(&tenant.value)) else { continue };
            if policies.insert(id, Arc::new(policy)).is_some() {
                self.notes.at(&tenant.span, format!("{:?} has an entry already", tenant.value));
            }
        }
        for (tenant, text) in managed.iter().filter(|(_, text)| text.enabled.unwrap_or(true)) {
            match (policies.entry(tenant.clone()), BodyPolicy::read(text)) {
                (Entry::Occupied(_), _) => {
                    let taken =
                        ("tenant".to_owned(), "has an entry in the file, which goes first".to_owned());
                    self.left_out.push(left_out(tenant, vec![taken]));
                }
                (Entry::Vacant(free), Ok(policy)) => drop(free.insert(Arc::new(policy))),
                (Entry::Vacant(_), Err(faults)) => self.left_out.push(left_out(tenant, faults)),
            }
        }
        policies
    }

    fn body_policy(&mut self, raw: &raw::Bodies) -> BodyPolicy {
        let usual = BodyPolicy::default();
        let percent = self.set(raw.percent.as_ref(), usual.percent, |written| percent(*written));
        let max_bytes =
            self.set(raw.max_size.as_ref(), usual.max_bytes, |written| max_bytes(written.read()?));
        let keep = self.set(raw.days.as_ref(), usual.keep, |written| keep(*written));
        let mut patterns = Vec::new();
        for at in &raw.redact {
            patterns.extend(self.note(&at.span, pattern(&at.value)));
        }
        let mut paths = Vec::new();
        for at in &raw.redact_paths {
            paths.extend(self.note(&at.span, path(&at.value)));
        }
        BodyPolicy { percent, max_bytes, keep, patterns, paths }
    }

    /// What is written, if it is right.
    fn set<T, U>(&mut self, at: Option<&At<T>>, usual: U, read: impl FnOnce(&T) -> Result<U, String>) -> U {
        at.and_then(|at| self.note(&at.span, read(&at.value))).unwrap_or(usual)
    }
}

fn left_out(tenant: &TenantId, faults: Vec<(String, String)>) -> LeftOut {
    let problem = |(key, text)| Problem { file: String::new(), line: None, key, text };
    let problems = faults.into_iter().map(problem).collect();
    LeftOut { kind: "body-policy", name: tenant.as_str().to_owned(), problems }
}
