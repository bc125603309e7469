//! What an answer says besides the vendor's words: who answered, what it cost.

use crate::chat::{Json, Object};
use crate::types::{Pico, Usage};
use crate::wire::received::Tells;
use std::sync::Arc;

/// What a usage costs.
pub type CostOf = Box<dyn Fn(&Usage) -> Pico + Send + Sync>;

/// What the hub knows of an answer and tells AIGNE's clients.
pub struct Telling {
    /// What the request asked of its answer.
    pub tells: Tells,
    /// The provider that answers, by its configured name.
    pub provider: Arc<str>,
    /// The vendor's name for the model.
    pub model: Arc<str>,
    /// The request's id.
    pub call_id: String,
    /// `None`: there is no price.
    pub cost_of: Option<CostOf>,
}

impl Telling {
    /// The model with its provider, as callers name it.
    pub(super) fn full_model(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// Appends the members of a usage. Cached tokens are part of the input, whichever way the
    /// vendor counts them; the cost is computed from buckets that never overlap.
    pub(super) fn write_usage(&self, object: &mut Object<'_>, usage: &Usage) {
        object.put("inputTokens", &usage.input_tokens());
        object.put("outputTokens", &usage.output_tokens());
        let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
        object.put("cacheCreationInputTokens", &written);
        object.put("cacheReadInputTokens", &usage.cache_read);
        self.write_cost(object, usage);
    }

    /// Appends what the usage costs, if that is known. Prices are in US dollars, and the
    /// client takes no prefix but those of three currencies, least of all an empty one.
    pub(super) fn write_cost(&self, object: &mut Object<'_>, usage: &Usage) {
        let usage = Usage { requests: 1, ..*usage };
        let cost = self.cost_of.as_ref().and_then(|cost_of| Json::parse(cost_of(&usage).to_string()));
        if let Some(cost) = cost {
            object.put("aigneHubCredits", &cost);
            object.put("creditPrefix", "$");
        }
        object.put("modelCallId", &self.call_id);
    }

    /// Appends who answered.
    pub(super) fn write_model(&self, object: &mut Object<'_>) {
        object.put("model", &*self.model);
        object.put("modelWithProvider", &self.full_model());
    }
}
