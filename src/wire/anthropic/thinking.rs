//! How a model of the family is told to think, and what then cannot be said.

use crate::chat::{
    Adapted, Dialect, Effort, Field, ModelTraits, Object, Origin, Part, Request, Role, Show, ThinkingMode,
    ThinkingStyle, ToolChoice,
};
use crate::error::Result;

/// What is decided before anything is written, because the limit depends on it.
/// Bedrock's doors say the same in other words.
#[derive(Debug, PartialEq)]
pub(in crate::wire) struct Plan {
    pub max_tokens: u64,
    pub thinking: Option<Thinking>,
    pub effort: Option<Effort>,
}

#[derive(Debug, PartialEq)]
pub(in crate::wire) struct Thinking {
    kind: &'static str,
    budget_tokens: Option<u64>,
    display: Option<&'static str>,
}

impl Plan {
    /// Does the model think? It then takes a temperature of 1 only, and the like.
    pub(in crate::wire) fn thinks(&self) -> bool {
        self.thinking.as_ref().is_some_and(|thinking| thinking.kind != "disabled")
    }
}

impl Thinking {
    pub(in crate::wire) fn write(&self, object: &mut Object<'_>) {
        object.put("type", self.kind);
        object.put_some("budget_tokens", self.budget_tokens);
        object.put_some("display", self.display);
    }
}

/// Decides the limit of the answer and how the model thinks.
pub(super) fn plan(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Plan> {
    let limit = limit(request.sampling.max_output_tokens, traits, adapted)?;
    plan_within(limit, request, traits, adapted)
}

/// Decides how the model thinks in an answer of at most so many tokens.
pub(in crate::wire) fn plan_within(
    max_tokens: u64,
    request: &Request,
    traits: &ModelTraits,
    adapted: &mut Adapted,
) -> Result<Plan> {
    let mut plan = Plan { max_tokens, thinking: None, effort: None };
    let reasoning = &request.reasoning;
    let off = reasoning.mode == Some(ThinkingMode::Disabled) || reasoning.effort == Some(Effort::None);
    // Anthropic's own callers say effort and thinking apart; elsewhere an effort asks for thoughts.
    let own = request.dialect == Some(Dialect::Anthropic);
    let wants =
        reasoning.mode.is_some() || reasoning.budget_tokens.is_some() || (!own && reasoning.effort.is_some());
    if off {
        let said = reasoning.mode.is_some() || traits.thinking == ThinkingStyle::Adaptive;
        let known = traits.thinking != ThinkingStyle::None;
        plan.thinking = (said && known).then_some(Thinking::bare("disabled"));
        return Ok(plan);
    }
    if own || traits.thinking == ThinkingStyle::Adaptive {
        plan.effort = effort(request, traits, own, adapted)?;
    }
    if !wants {
        return Ok(plan);
    }
    if let Some(why) = obstacle(request, traits) {
        adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), why)?;
    } else if traits.thinking == ThinkingStyle::Adaptive {
        plan.thinking = Some(adaptive(request));
    } else {
        by_budget(&mut plan, request, traits, adapted)?;
    }
    Ok(plan)
}

fn limit(wish: Option<u64>, traits: &ModelTraits, adapted: &mut Adapted) -> Result<u64> {
    let most = traits.max_output_tokens.unwrap_or(u64::MAX);
    match wish {
        None => {
            let default = traits.default_max_output_tokens.min(most);
            let name = Field::MaxOutputTokens.name();
            adapted.drop_named(Field::MaxOutputTokens, name, format!("set to {default}"))?;
            Ok(default)
        }
        Some(wish) if wish > most => {
            let passes = adapted.adapt(Field::MaxOutputTokens, format!("cut to {most}"))?.passes();
            Ok(if passes { wish } else { most })
        }
        Some(wish) => Ok(wish),
    }
}

/// Why the model cannot think in this request, if it cannot.
fn obstacle(request: &Request, traits: &ModelTraits) -> Option<&'static str> {
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    if traits.thinking == ThinkingStyle::None {
        Some("dropped")
    } else if forced && !request.tools.is_empty() {
        Some("switched off: a tool is forced")
    } else if traits.thinking != ThinkingStyle::Adaptive && lacks_signed_thoughts(request) {
        Some("switched off: the thoughts before the last calls of tools were not returned")
    } else {
        None
    }
}

/// Is the conversation amid calls of tools whose thoughts are missing? The
/// vendor refuses to think on then.
fn lacks_signed_thoughts(request: &Request) -> bool {
    let amid = request.messages.iter().rev().take_while(|message| message.role != Role::User);
    let answers = amid.filter(|message| message.role == Role::Assistant);
    answers.into_iter().any(|message| {
        let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        calls && !message.parts.iter().any(is_signed)
    })
}

/// Thoughts that the vendor takes back as its own.
pub(in crate::wire) fn is_signed(part: &Part) -> bool {
    match part {
        Part::Thinking(thinking) => {
            thinking.signature.as_ref().is_some_and(|signature| signature.origin == Origin::Anthropic)
        }
        Part::RedactedThinking { origin, .. } => *origin == Origin::Anthropic,
        _ => false,
    }
}

/// The effort to send. A budget that the caller means is said by one where the model knows no budgets.
fn effort(
    request: &Request,
    traits: &ModelTraits,
    own: bool,
    adapted: &mut Adapted,
) -> Result<Option<Effort>> {
    let reasoning = &request.reasoning;
    let adaptive = traits.thinking == ThinkingStyle::Adaptive;
    let budget = reasoning.budget_tokens.filter(|_| adaptive);
    let Some(wish) = reasoning.effort.or_else(|| budget.map(Effort::of_budget)) else { return Ok(None) };
    let Some(nearest) = traits.effort(wish) else {
        adapted.drop_if(own, Field::Reasoning)?;
        return Ok(None);
    };
    if reasoning.effort.is_none() || nearest != wish {
        let what = format!("effort set to {}", nearest.name());
        adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), what)?;
    }
    Ok(Some(nearest))
}

fn adaptive(request: &Request) -> Thinking {
    let display = match request.reasoning.show {
        Some(Show::Omitted) => Some("omitted"),
        Some(Show::Summarized | Show::Detailed) => Some("summarized"),
        None => None,
    };
    let between = request.reasoning.mode == Some(ThinkingMode::BetweenTools);
    Thinking { kind: if between { "between_tools" } else { "adaptive" }, budget_tokens: None, display }
}

impl Thinking {
    fn bare(kind: &'static str) -> Self {
        Self { kind, budget_tokens: None, display: None }
    }
}

/// A budget, which must be smaller than the limit. Where the caller named no
/// limit, the budget comes on top of the default; where it did, the budget gives way.
fn by_budget(plan: &mut Plan, request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<()> {
    let reasoning = &request.reasoning;
    let wish = reasoning.budget_tokens.or_else(|| reasoning.effort.map(Effort::budget_tokens));
    let wish = wish.unwrap_or_else(|| Effort::Medium.budget_tokens()).max(traits.min_thinking_tokens);
    if request.sampling.max_output_tokens.is_none() {
        let most = traits.max_output_tokens.unwrap_or(u64::MAX);
        plan.max_tokens = plan.max_tokens.saturating_add(wish).min(most);
    }
    let budget = wish.min(plan.max_tokens.saturating_sub(1));
    if budget < traits.min_thinking_tokens {
        let what = "switched off: the answer's limit leaves no room for it";
        return adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), what);
    }
    if budget < wish && reasoning.budget_tokens.is_some() {
        adapted.drop_named(Field::Reasoning, Field::Reasoning.name(), format!("budget cut to {budget}"))?;
    }
    plan.thinking = Some(Thinking { budget_tokens: Some(budget), ..Thinking::bare("enabled") });
    Ok(())
}
