//! Selling credits: Stripe, Payment Kit, and signed messages.

use super::Resolver;
use super::base::base_url;
use crate::config::at::At;
use crate::config::raw::SecretSource;
use crate::config::raw_selling as raw;
use crate::config::{BaseUrl, Pack, PaymentKit, Stripe};
use crate::types::{Pico, Secret, minor_of};
use std::sync::Arc;
use std::time::Duration;

const STRIPE: &str = "https://api.stripe.com";
const METER: &str = "agent-hub-ai-meter-v2";
/// What may be bought freely when only the least is named.
const MOST: Pico = Pico(1_000_000_000_000_000);

impl Resolver<'_> {
    pub(super) fn stripe(&mut self, at: &At<raw::Stripe>) -> Option<Arc<Stripe>> {
        let raw = &at.value;
        let secret_key = raw.secret_key.as_ref().and_then(|at| self.secret(&at.span, &at.value));
        let webhook_secrets = self.secrets(&raw.webhook_secrets);
        if raw.webhook_secrets.is_empty() {
            self.notes.below(&at.span, "webhook_secrets", "names no secret, so no payment could be believed");
        }
        let currency = self.currency(raw.currency.as_ref());
        let packs: Vec<Pack> = raw.pack.iter().filter_map(|at| self.pack(at, &currency)).collect();
        for (index, pack) in packs.iter().enumerate() {
            if packs.iter().take(index).any(|other| other.name == pack.name) {
                self.notes.below(&at.span, "pack", format!("{:?} is there twice", pack.name));
            }
        }
        let any = self.any(raw);
        if packs.is_empty() && raw.pack.is_empty() && any.is_none() {
            self.notes.below(&at.span, "pack", "there is nothing to buy; name packs, or the least amount");
        }
        let link =
            |resolver: &mut Self, at: &Option<At<String>>| at.as_ref().and_then(|at| resolver.link(at));
        let (success_url, cancel_url) = (link(self, &raw.success_url), link(self, &raw.cancel_url));
        let api = self.door(raw.api.as_ref(), STRIPE);
        let (secret_key, success_url, cancel_url) = (secret_key?, success_url?, cancel_url?);
        Some(Arc::new(Stripe {
            api: api?,
            secret_key,
            webhook_secrets,
            currency,
            success_url,
            cancel_url,
            packs,
            any,
        }))
    }

    pub(super) fn payment_kit(&mut self, at: &At<raw::PaymentKit>) -> Option<Arc<PaymentKit>> {
        let raw = &at.value;
        let secret_key = raw.secret_key.as_ref().and_then(|at| self.secret(&at.span, &at.value));
        let webhook_secrets = self.secrets(&raw.webhook_secrets);
        let api = raw.api.as_ref().and_then(|at| self.door(Some(at), ""));
        let every = self.positive(raw.every.as_ref(), Duration::from_secs(600));
        let meter = raw.meter.as_ref().map_or(METER, |at| at.value.as_str()).into();
        Some(Arc::new(PaymentKit { api: api?, secret_key: secret_key?, webhook_secrets, meter, every }))
    }

    pub(super) fn secrets(&mut self, list: &[At<SecretSource>]) -> Vec<Secret> {
        list.iter().filter_map(|at| self.secret(&at.span, &at.value)).collect()
    }

    fn currency(&mut self, at: Option<&At<String>>) -> Arc<str> {
        let Some(at) = at else { return "usd".into() };
        if at.value.len() != 3 || !at.value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.notes.at(&at.span, format!("{:?} is no currency; write its three letters", at.value));
        }
        at.value.to_ascii_lowercase().into()
    }

    fn pack(&mut self, at: &At<raw::Pack>, currency: &str) -> Option<Pack> {
        let raw = &at.value;
        let (price, credits) =
            (self.positive_amount(raw.price.as_ref()), self.positive_amount(raw.credits.as_ref()));
        if let (Some(price), Some(at)) = (price, &raw.price)
            && price > Pico::ZERO
            && minor_of(price, currency).is_none()
        {
            self.notes.at(&at.span, format!("cannot be paid in {currency}: it is too fine, or too much"));
        }
        let name = raw.name.as_ref()?.value.as_str().into();
        Some(Pack { name, price: price?, credits: credits? })
    }

    fn any(&mut self, raw: &raw::Stripe) -> Option<(Pico, Pico)> {
        let least = self.positive_amount(raw.least.as_ref());
        let most = self.positive_amount(raw.most.as_ref());
        let Some(least) = least else {
            if let Some(at) = &raw.most {
                self.notes.at(&at.span, "is of no use without least");
            }
            return None;
        };
        let most = most.unwrap_or(MOST.max(least));
        if let (true, Some(at)) = (most < least, &raw.most) {
            self.notes.at(&at.span, "is less than least");
        }
        Some((least, most))
    }

    /// A service that is sent a secret: by TLS, or on this machine.
    fn door(&mut self, at: Option<&At<String>>, otherwise: &str) -> Option<BaseUrl> {
        let Some(at) = at else { return base_url(otherwise).ok() };
        let url = self.note(&at.span, base_url(&at.value))?;
        let near =
            url.host.parse::<std::net::IpAddr>().map_or(url.host == "localhost", |ip| ip.is_loopback());
        if !url.tls && !near {
            self.notes.at(&at.span, "must begin with https://, for a secret is sent there");
        }
        Some(url)
    }
}
