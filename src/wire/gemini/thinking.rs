//! How a model of the family is told to think: by a budget, later by a level.

use super::traits::max_thinking_tokens;
use crate::chat::{
    Adapted, Effort, Field, ModelTraits, Object, Reasoning, Request, Show, ThinkingMode, ThinkingStyle,
};
use crate::error::Result;

/// The budget that leaves it to the model.
const AS_IT_SEES_FIT: i64 = -1;

/// The members of `thinkingConfig`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    budget: Option<i64>,
    level: Option<Effort>,
    include_thoughts: Option<bool>,
}

impl Plan {
    /// Appends the member, unless there is nothing to say.
    pub(super) fn write(&self, config: &mut Object<'_>) {
        if *self == Plan::default() {
            return;
        }
        config.object("thinkingConfig", |object| {
            object.put_some("thinkingBudget", self.budget);
            object.put_some("thinkingLevel", self.level.map(|level| level.name().to_ascii_uppercase()));
            object.put_some("includeThoughts", self.include_thoughts);
        });
    }
}

/// Decides how the model thinks. Who asks for thoughts wants to see them, unless it says otherwise.
pub(super) fn plan(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Plan> {
    let reasoning = &request.reasoning;
    let off = reasoning.mode == Some(ThinkingMode::Disabled)
        || reasoning.effort == Some(Effort::None)
        || reasoning.budget_tokens == Some(0);
    let wants = reasoning.mode.is_some() || reasoning.effort.is_some() || reasoning.budget_tokens.is_some();
    let shown = reasoning.show.is_some_and(|show| show != Show::Omitted);
    if traits.thinking == ThinkingStyle::None {
        adapted.drop_if((wants && !off) || shown, Field::Reasoning)?;
        return Ok(Plan::default());
    }
    let include_thoughts = match reasoning.show {
        _ if off => None,
        None => wants.then_some(true),
        Some(show) => Some(show != Show::Omitted),
    };
    let mut plan = Plan { include_thoughts, ..Plan::default() };
    if !wants {
        return Ok(plan);
    }
    if traits.thinking == ThinkingStyle::Budget {
        plan.budget = budget(request, off, traits, adapted)?;
    } else {
        plan.level = level(reasoning, off, traits, adapted)?;
    }
    Ok(plan)
}

fn budget(request: &Request, off: bool, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Option<i64>> {
    let reasoning = &request.reasoning;
    if off && traits.efforts.contains(&Effort::None) {
        return Ok(Some(0));
    }
    let least = traits.min_thinking_tokens;
    let wish = match (off, reasoning.budget_tokens, reasoning.effort) {
        (true, ..) => 0,
        (false, Some(budget), _) => budget,
        (false, None, Some(effort)) => effort.budget_tokens(),
        (false, None, None) => return Ok(Some(AS_IT_SEES_FIT)),
    };
    let budget = wish.min(max_thinking_tokens(&request.model)).max(least);
    if budget != wish {
        adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), format!("budget set to {budget}"))?;
    }
    Ok(i64::try_from(budget).ok())
}

/// The level to send. A budget that the caller means is said by one.
fn level(
    reasoning: &Reasoning,
    off: bool,
    traits: &ModelTraits,
    adapted: &mut Adapted,
) -> Result<Option<Effort>> {
    let by_budget = reasoning.budget_tokens.map(Effort::of_budget);
    let wish = if off { Some(Effort::None) } else { reasoning.effort.or(by_budget) };
    let Some(wish) = wish else { return Ok(None) };
    let Some(nearest) = traits.effort(wish).filter(|nearest| *nearest != Effort::None) else {
        adapted.drop_if(true, Field::Reasoning)?;
        return Ok(None);
    };
    if nearest != wish || (reasoning.effort.is_none() && !off) {
        let what = format!("effort set to {}", nearest.name());
        adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), what)?;
    }
    Ok(Some(nearest))
}

/// Is the model of the generation that is told by levels? It refuses a call
/// whose signature is missing, reads files within results, and answers in JSON beside tools.
pub(super) fn wants_signatures(traits: &ModelTraits) -> bool {
    !matches!(traits.thinking, ThinkingStyle::None | ThinkingStyle::Budget)
}
