//! Wallets: plans of tenants, members, gifts.

use super::Resolver;
use crate::config::at::At;
use crate::config::raw_billing as raw;
use crate::config::{Billing, Gift, Plan, Unpriced};
use crate::ledger::wallet::Member;
use crate::types::{Pico, TenantId};
use std::collections::HashMap;
use std::sync::Arc;

/// What one credit costs when nothing is said.
const ONE: Pico = Pico(1_000_000_000_000);
/// More than any currency's sign.
const LONGEST_PREFIX: usize = 8;

impl Resolver<'_> {
    pub(super) fn billing(&mut self, raw: &raw::Billing) -> Option<Arc<Billing>> {
        let credit_price = self.positive_amount(raw.credit_price.as_ref()).unwrap_or(ONE);
        let percent = |resolver: &mut Self, at: Option<&At<_>>| resolver.percent(at).unwrap_or(0);
        let margin_ppm = percent(self, raw.margin.as_ref());
        let cache_hit_ppm = percent(self, raw.cache_hits.as_ref());
        if let (true, Some(at)) = (cache_hit_ppm > 1_000_000, &raw.cache_hits) {
            self.notes.at(&at.span, "an answer from the cache cannot cost more than 100 percent");
        }
        let billing = Billing {
            credit_price,
            prefix: self.prefix(raw.prefix.as_ref()),
            cache_hit_ppm,
            hold_step: self.count(raw.hold_step.as_ref(), 1_024),
            assumed_output: self.count(raw.assumed_output.as_ref(), 16_384),
            buy_link: raw.buy_link.as_ref().and_then(|at| self.link(at)),
            unpriced: match raw.unpriced {
                Some(crate::config::raw::Unpriced::Flag) => Unpriced::Flag,
                Some(crate::config::raw::Unpriced::Refuse) | None => Unpriced::Refuse,
            },
            welcome: raw.welcome.as_ref().and_then(|at| self.gift(at)),
            welcome_user: raw.welcome_user.as_ref().and_then(|at| self.gift(at)),
            tenants: self.plans(raw, margin_ppm),
            margin_ppm,
            stripe: raw.stripe.as_ref().and_then(|at| self.stripe(at)),
            payment_kit: raw.payment_kit.as_ref().and_then(|at| self.payment_kit(at)),
            inbound_secrets: self.secrets(&raw.inbound_secrets),
        };
        raw.enabled.unwrap_or(false).then(|| Arc::new(billing))
    }

    fn plans(&mut self, raw: &raw::Billing, margin_ppm: u32) -> HashMap<TenantId, Arc<Plan>> {
        let mut plans: HashMap<TenantId, Plan> = HashMap::new();
        for at in &raw.tenant {
            let Some(name) = at.value.name.as_ref() else { continue };
            let Some(tenant) = self.note(&name.span, TenantId::parse(&name.value)) else { continue };
            let plan = self.plan(&tenant, &at.value, margin_ppm);
            if plans.insert(tenant, plan).is_some() {
                self.notes.at(&name.span, "is there twice");
            }
        }
        for at in &raw.member {
            let (Some(tenant), Some(name)) = (&at.value.tenant, &at.value.name) else { continue };
            let Some(tenant) = self.note(&tenant.span, TenantId::parse(&tenant.value)) else { continue };
            // A member's name is one like a tenant's.
            let Some(named) = self.note(&name.span, TenantId::parse(&name.value)) else { continue };
            let month = self.amount(at.value.month.as_ref());
            let plan = plans.entry(tenant.clone()).or_insert_with(|| Plan::new(&tenant, margin_ppm));
            if plan.members.iter().any(|known| *known.name == *named.as_str()) {
                self.notes.at(&name.span, "is there twice");
            }
            plan.members.push(Member { name: named.shared().clone(), month });
        }
        plans.into_iter().map(|(tenant, plan)| (tenant, Arc::new(plan))).collect()
    }

    fn plan(&mut self, tenant: &TenantId, raw: &raw::Tenant, margin_ppm: u32) -> Plan {
        let named = raw.plan.as_ref().and_then(|at| self.note(&at.span, TenantId::parse(&at.value)));
        Plan {
            billed: raw.billed.unwrap_or(true),
            margin_ppm: self.percent(raw.margin.as_ref()).unwrap_or(margin_ppm),
            rates: format!("rate/{}", named.as_ref().unwrap_or(tenant)).into(),
            allowance: self.positive_amount(raw.allowance.as_ref()),
            members: Vec::new(),
        }
    }

    fn gift(&mut self, at: &At<raw::Gift>) -> Option<Gift> {
        let amount = self.positive_amount(at.value.amount.as_ref())?;
        let after = at.value.expires_after.as_ref();
        let expires_after = after.map(|at| self.positive(Some(at), std::time::Duration::ZERO));
        Some(Gift { amount, expires_after })
    }

    fn percent(&mut self, at: Option<&At<crate::config::at::Percent>>) -> Option<u32> {
        at.and_then(|at| self.note(&at.span, at.value.read()))
    }

    fn amount(&mut self, at: Option<&At<crate::config::at::Money>>) -> Option<Pico> {
        at.and_then(|at| self.note(&at.span, at.value.read()))
    }

    pub(super) fn positive_amount(&mut self, at: Option<&At<crate::config::at::Money>>) -> Option<Pico> {
        let amount = self.amount(at)?;
        if let (true, Some(at)) = (amount == Pico::ZERO, at) {
            self.notes.at(&at.span, "must be more than 0");
        }
        Some(amount)
    }

    fn prefix(&mut self, at: Option<&At<String>>) -> Arc<str> {
        let Some(at) = at else { return "".into() };
        let fits = at.value.len() <= LONGEST_PREFIX && !at.value.chars().any(char::is_control);
        if !fits {
            self.notes.at(&at.span, "is no sign of a currency: at most 8 bytes, without control characters");
        }
        at.value.as_str().into()
    }

    /// It is shown to callers, so it must be one that they can follow.
    pub(super) fn link(&mut self, at: &At<String>) -> Option<Arc<str>> {
        let web = at.value.starts_with("https://") || at.value.starts_with("http://");
        let plain = at.value.chars().all(|c| c.is_ascii_graphic() && c != '"');
        if !web || !plain {
            self.notes.at(
                &at.span,
                format!("{:?} is no link; write it like \"https://example.com/buy\"", at.value),
            );
        }
        Some(at.value.as_str().into())
    }
}
