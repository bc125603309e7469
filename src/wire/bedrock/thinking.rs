//! How a model is told to think, which each maker calls differently.

use super::traits::Family;
use crate::chat::{Adapted, Effort, Field, ModelTraits, Object, Request, ThinkingMode, ThinkingStyle};
use crate::error::Result;
use crate::wire::anthropic;

/// What is decided before anything is written.
#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// Nothing is said.
    Silent,
    /// As Anthropic's own door takes it.
    Claude(anthropic::Plan),
    /// By an effort.
    Effort(Effort),
}

impl Plan {
    /// Does the model think in a way that rules out a temperature, and tools that must be called?
    pub(super) fn thinks(&self) -> bool {
        matches!(self, Plan::Claude(plan) if plan.thinks())
    }

    /// The effort for `outputConfig`.
    pub(super) fn output_effort(&self) -> Option<Effort> {
        match self {
            Plan::Claude(plan) => plan.effort,
            _ => None,
        }
    }

    /// Writes the model's own fields.
    pub(super) fn write(&self, family: Family, object: &mut Object<'_>) {
        match self {
            Plan::Silent => {}
            Plan::Claude(plan) => {
                if let Some(thinking) = &plan.thinking {
                    object.object("thinking", |object| thinking.write(object));
                }
            }
            Plan::Effort(effort) if family == Family::GptOss => object.put("reasoning_effort", effort),
            Plan::Effort(effort) => object.object("reasoningConfig", |object| {
                object.put("type", "enabled");
                object.put("maxReasoningEffort", effort);
            }),
        }
    }
}

/// Decides how the model thinks. `limit`: the most tokens of the answer, if anybody says.
pub(super) fn plan(
    request: &Request,
    traits: &ModelTraits,
    family: Family,
    limit: Option<u64>,
    adapted: &mut Adapted,
) -> Result<Plan> {
    if family == Family::Claude {
        // The vendor needs no limit, so a budget has to stay below one only where somebody set it.
        let limit = limit.unwrap_or_else(|| traits.max_output_tokens.unwrap_or(u64::MAX));
        return Ok(Plan::Claude(anthropic::plan_within(limit, request, traits, adapted)?));
    }
    let reasoning = &request.reasoning;
    let off = reasoning.mode == Some(ThinkingMode::Disabled) || reasoning.effort == Some(Effort::None);
    let wants = reasoning.mode.is_some() || reasoning.effort.is_some() || reasoning.budget_tokens.is_some();
    if off || !wants {
        return Ok(Plan::Silent);
    }
    let wish = reasoning.effort.or_else(|| reasoning.budget_tokens.map(Effort::of_budget));
    let wish = wish.unwrap_or(Effort::Medium);
    let nearest = traits.effort(wish).filter(|_| traits.thinking == ThinkingStyle::Effort);
    let Some(nearest) = nearest else {
        adapted.drop_if(true, Field::Reasoning)?;
        return Ok(Plan::Silent);
    };
    if reasoning.effort != Some(nearest) {
        let what = format!("effort set to {}", nearest.name());
        adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), what)?;
    }
    Ok(Plan::Effort(nearest))
}
