//! `catalogue show`: what the hub knows of a model under a configuration.

use crate::catalogue::Day;
use crate::cli::{ConfigArg, out};
use crate::config::{Document, Environment, Registry, Snapshot, Target};
use crate::server;
use crate::types::Clock;
use serde_json::{Value, json};

pub(super) fn run(config: &ConfigArg, name: &str) -> Result<(), String> {
    let environment = Environment::capture();
    let document = Document::read(config.path().as_deref()).map_err(|p| p.to_string())?;
    let registry = Registry::new(Default::default(), Default::default());
    let prices = server::embedded_prices()?;
    let inputs = server::inputs(&environment, &registry, &[], &[0; 32], &prices);
    let snapshot = document.resolve(&inputs).map_err(|p| p.to_string())?;
    let model = snapshot.model(name).ok_or_else(|| {
        format!("there is no model {name}; write an alias of the configuration, or provider/model of a provider in it")
    })?;
    let targets: Vec<Value> =
        model.targets.iter().chain(&model.fallback).map(|target| shown(&snapshot, target)).collect();
    out::print_pretty(&json!({ "model": name, "targets": targets }))
}

fn shown(snapshot: &Snapshot, target: &Target) -> Value {
    let now = Clock::machine().wall();
    let (provider, vendor) = (target.provider.name.as_str(), target.provider.vendor.name);
    let price = snapshot.prices.find(provider, vendor, &target.upstream_model, now);
    let card = target.card.as_deref().map(|card| {
        json!({
            "title": card.title,
            "context_length": card.context,
            "max_output_tokens": card.output_limit(),
            "can": card.can.to_string(),
            "cannot": card.cannot.to_string(),
            "tokenizer": card.tokenizer.map(|family| family.name()),
            "released": card.released.map(|day| day.to_string()),
            "retires": card.retires.map(|day| day.to_string()),
            "life": card.life(Day::of_seconds(now.seconds())).name(),
            "source": card.source,
        })
    });
    let rates = price.map(|price| {
        let rates: serde_json::Map<String, Value> =
            price.rates.named().map(|(name, rate)| (name.to_owned(), rate.to_string().into())).collect();
        json!({ "id": price.id, "per_million": rates, "source": price.source })
    });
    json!({ "provider": provider, "vendor": vendor, "model": target.upstream_model, "card": card, "price": rates })
}
