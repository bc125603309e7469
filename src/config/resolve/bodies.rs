//! `[[bodies]]`.

use super::Resolver;
use crate::config::BodyPolicy;
use crate::config::at::At;
use crate::config::raw;
use crate::types::TenantId;
use regex::RegexBuilder;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const PERCENT: u8 = 100;
const MAX_SIZE: u64 = 64 * 1024;
/// The most that can be kept of one body; a row of the store has to hold both.
const LARGEST: u64 = 4 * 1024 * 1024;
const DAYS: u64 = 30;
/// Compiled size of one expression, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

impl Resolver<'_> {
    pub(super) fn bodies(&mut self, list: &[At<raw::Bodies>]) -> HashMap<TenantId, Arc<BodyPolicy>> {
        let mut policies = HashMap::new();
        for at in list {
            let policy = self.body_policy(&at.value);
            let Some(tenant) = &at.value.tenant else { continue };
            let Some(id) = self.note(&tenant.span, TenantId::parse(&tenant.value)) else { continue };
            if policies.insert(id, Arc::new(policy)).is_some() {
                self.notes.at(&tenant.span, format!("{:?} has an entry already", tenant.value));
            }
        }
        policies
    }

    fn body_policy(&mut self, raw: &raw::Bodies) -> BodyPolicy {
        let percent = raw.percent.as_ref().map_or(PERCENT, |at| at.value);
        if let (Some(at), false) = (&raw.percent, (1..=100).contains(&percent)) {
            self.notes.at(&at.span, "must be from 1 to 100; remove the entry to keep nothing");
        }
        let max = self.size(raw.max_size.as_ref(), MAX_SIZE);
        if let (Some(at), true) = (&raw.max_size, max > LARGEST) {
            self.notes.at(&at.span, "is more than 4 MiB");
        }
        let days = self.count(raw.days.as_ref(), DAYS);
        let mut patterns = Vec::new();
        for at in &raw.redact {
            let built = RegexBuilder::new(&at.value).size_limit(LARGEST_PATTERN).build();
            let built = built.map_err(|error| error.to_string().replace('\n', " "));
            patterns.extend(self.note(&at.span, built));
        }
        let mut paths = Vec::new();
        for at in &raw.redact_paths {
            let parts: Vec<String> = at.value.split('.').map(str::to_owned).collect();
            if parts.iter().any(String::is_empty) {
                self.notes.at(&at.span, "has an empty name; write it like \"messages.*.content\"");
            }
            paths.push(parts);
        }
        let keep = Duration::from_secs(days.saturating_mul(86_400));
        BodyPolicy { percent, max_bytes: usize::try_from(max).unwrap_or(usize::MAX), keep, patterns, paths }
    }
}
