//! What could not be said in a vendor's dialect, and what was done about it.
//!
//! A dialect never drops or changes a field on its own account: it asks here,
//! the operator's policy decides, and what was done is kept for the caller.

use super::Sampling;
use crate::error::{Failure, Kind, Result};
use std::borrow::Cow;

/// How many changes are kept; a request may have any number of parts.
const MAX_CHANGES: usize = 64;

/// What to do with a field that the model or its dialect cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// Send it as it is, if the dialect can write it at all, and let the vendor judge.
    Pass,
    /// Drop it, or say it as closely as possible, and keep a record.
    Adapt,
    /// Refuse the request, naming the field.
    Refuse,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal, $stance:ident;)*) => {
        /// A field, or a group of fields, with a policy of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[$doc])* $field),* }

        impl Field {
            /// Every field, for tables and tests.
            pub const ALL: &[Field] = &[$(Field::$field),*];

            /// The name in the caller's record, and in the configuration.
            pub fn name(self) -> &'static str {
                match self { $(Field::$field => $name),* }
            }

            /// What is done where the operator says nothing.
            pub fn default_stance(self) -> Stance {
                match self { $(Field::$field => Stance::$stance),* }
            }
        }
    };
}

fields! {
    /// A limit of the answer was added, or cut down to what the model takes.
    MaxOutputTokens = "max_output_tokens", Adapt;
    /// Clamped to what the model takes, or dropped where it takes none.
    Temperature = "temperature", Adapt;
    /// Dropped.
    TopP = "top_p", Adapt;
    /// Dropped.
    TopK = "top_k", Adapt;
    /// Dropped.
    Seed = "seed", Adapt;
    /// Frequency and presence penalties: dropped.
    Penalties = "penalties", Adapt;
    /// Dropped, or cut to as many as the dialect takes.
    Stop = "stop", Adapt;
    /// Dropped: the answer has no log probabilities.
    Logprobs = "logprobs", Adapt;
    /// Dropped: token numbers of one vendor mean nothing to another.
    LogitBias = "logit_bias", Adapt;
    /// Several answers where there can be one: one is asked for. A caller who counts on more is better told.
    Choices = "n", Refuse;
    /// Tools for a model that has none: a conversation without its tools is another one.
    Tools = "tools", Refuse;
    /// A tool that another vendor runs.
    HostedTool = "hosted_tool", Refuse;
    /// `strict` of a tool: dropped.
    StrictTools = "strict_tools", Adapt;
    /// A choice that the dialect or the model cannot say: said as closely as possible.
    ToolChoice = "tool_choice", Adapt;
    /// Dropped where it cannot be said.
    ParallelToolCalls = "parallel_tool_calls", Adapt;
    /// A schema or JSON object that the vendor does not enforce: an instruction asks for it.
    Output = "response_format", Adapt;
    /// Effort, budget and the like: said as closely as possible, or dropped.
    Reasoning = "reasoning", Adapt;
    /// Thoughts of earlier answers that the vendor would refuse, or another vendor's signature: left out.
    ReasoningHistory = "reasoning_history", Adapt;
    /// A picture for a model that sees none, or from where it cannot load it.
    Image = "image", Refuse;
    /// A document for a model that reads none.
    Document = "document", Refuse;
    /// Sound for a model that hears none.
    Audio = "audio", Refuse;
    /// A part that only another dialect knows: left out.
    OtherPart = "part", Adapt;
    /// Hints for the prompt cache: dropped.
    CacheHint = "cache", Adapt;
    /// An instruction amid the conversation: moved to the front.
    MidSystem = "system", Adapt;
    /// `user`, `metadata`: dropped.
    User = "user", Adapt;
    /// `service_tier` of another vendor: dropped.
    ServiceTier = "service_tier", Adapt;
    /// A name or id that the dialect's alphabet does not have: written in it.
    Name = "name", Adapt;
    /// The size of a picture: said by its shape, or grown to what the model draws.
    Size = "size", Adapt;
    /// What of a picture may change in an edit: without it the edit is another one.
    Mask = "mask", Refuse;
    /// A field at the top that only another dialect knows: dropped.
    Extra = "field", Adapt;
}

impl Field {
    /// The field of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Does an answer change when it is adapted? What `*` stands for.
    fn changes_answers(self) -> bool {
        !matches!(self, Field::MaxOutputTokens | Field::CacheHint | Field::Name)
    }

    /// The field that a member of an OpenAI body belongs to.
    pub fn of_member(name: &str) -> Self {
        const MEMBERS: &[(&str, Field)] = &[
            ("frequency_penalty", Field::Penalties),
            ("presence_penalty", Field::Penalties),
            ("top_logprobs", Field::Logprobs),
            ("max_tokens", Field::MaxOutputTokens),
            ("max_completion_tokens", Field::MaxOutputTokens),
            ("reasoning_effort", Field::Reasoning),
            ("metadata", Field::User),
        ];
        let member = MEMBERS.iter().find(|(member, _)| *member == name).map(|(_, field)| *field);
        member.or_else(|| Self::parse(name)).unwrap_or(Field::Extra)
    }
}

/// What an operator wants done, field by field. Empty: each field's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(Vec<(Field, Stance)>);

impl Policy {
    /// A policy with these fields set; of a field that occurs twice the last counts.
    pub fn new(stances: impl IntoIterator<Item = (Field, Stance)>) -> Self {
        Self(stances.into_iter().collect())
    }

    /// One stance for the fields of these names; `*` is all whose loss changes an answer, and blank
    /// names are none.
    ///
    /// # Errors
    /// A name that is no field's.
    pub fn read<'n>(
        names: impl Iterator<Item = &'n str>,
        stance: Stance,
    ) -> std::result::Result<Self, &'n str> {
        let mut set = Vec::new();
        for name in names.map(str::trim).filter(|name| !name.is_empty()) {
            if name == "*" {
                let all = Field::ALL.iter().filter(|field| field.changes_answers());
                set.extend(all.map(|field| (*field, stance)));
            } else {
                set.push((Field::parse(name).ok_or(name)?, stance));
            }
        }
        Ok(Self(set))
    }

    /// This policy, and over it another.
    #[must_use]
    pub fn then(mut self, over: &Policy) -> Self {
        self.0.extend_from_slice(&over.0);
        self
    }

    /// Has somebody said that this member of an OpenAI body is to be refused? Where nothing is translated,
    /// a field's default is no reason to refuse what a vendor is known not to want.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] that names it.
    pub fn lets_go(&self, member: &str) -> Result<()> {
        let field = Field::of_member(member);
        let said = self.0.iter().rev().find(|(of, _)| *of == field);
        match said {
            Some((_, Stance::Refuse)) => Err(refusal(member.to_owned().into())),
            _ => Ok(()),
        }
    }

    /// What is done with a field.
    pub fn stance(&self, field: Field) -> Stance {
        let set = self.0.iter().rev().find(|(of, _)| *of == field);
        set.map_or_else(|| field.default_stance(), |(_, stance)| *stance)
    }
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field, by the caller's name for it where that is known.
    pub field: Cow<'static, str>,
    /// What was done: `dropped`, `clamped to 1`.
    pub what: Cow<'static, str>,
}

/// What a dialect is to do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fate {
    /// Send it as it is.
    Pass,
    /// Do what was announced.
    Adapt,
}

impl Fate {
    /// Is it to be sent as it is?
    pub fn passes(self) -> bool {
        self == Fate::Pass
    }
}

/// The record of one translation, and the policy it follows.
#[derive(Clone, Debug, Default)]
pub struct Adapted {
    policy: Policy,
    changes: Vec<Change>,
    uncounted: usize,
}

impl Adapted {
    /// A record without entries.
    pub fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// To be asked for each field that cannot go as it is, with what would be
    /// done: "dropped", "clamped to 1".
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] that names the field, if the policy refuses it.
    pub fn adapt(&mut self, field: Field, what: impl Into<Cow<'static, str>>) -> Result<Fate> {
        self.adapt_named(field, field.name(), what)
    }

    /// Like [`Adapted::adapt`] for a field that goes by another name, such as one of [`Field::Extra`].
    ///
    /// # Errors
    /// Like [`Adapted::adapt`].
    pub fn adapt_named(
        &mut self,
        field: Field,
        name: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
    ) -> Result<Fate> {
        let name = name.into();
        match self.policy.stance(field) {
            Stance::Pass => Ok(Fate::Pass),
            Stance::Adapt => {
                self.note(name, what);
                Ok(Fate::Adapt)
            }
            Stance::Refuse => Err(refusal(name)),
        }
    }

    /// Like [`Adapted::adapt_named`] where the dialect has no way to write the
    /// field, so that passing it is no choice and means adapting it.
    ///
    /// # Errors
    /// Like [`Adapted::adapt`].
    pub fn drop_named(
        &mut self,
        field: Field,
        name: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
    ) -> Result<()> {
        let (name, what) = (name.into(), what.into());
        if self.adapt_named(field, name.clone(), what.clone())? == Fate::Pass {
            self.note(name, what);
        }
        Ok(())
    }

    /// Drops a field that the dialect has no way to write, if it is there.
    ///
    /// # Errors
    /// Like [`Adapted::adapt`].
    pub fn drop_if(&mut self, there: bool, field: Field) -> Result<()> {
        if there { self.drop_named(field, field.name(), "dropped") } else { Ok(()) }
    }

    /// Drops how an answer is to be drawn where there are no words for any of it, as at Anthropic and
    /// in Converse. What asks for the usual is dropped in silence.
    ///
    /// # Errors
    /// Like [`Adapted::adapt`].
    pub fn drop_drawing(&mut self, sampling: &Sampling) -> Result<()> {
        self.drop_if(sampling.seed.is_some(), Field::Seed)?;
        let penalty = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
        let penalised = penalty(sampling.frequency_penalty) || penalty(sampling.presence_penalty);
        self.drop_if(penalised, Field::Penalties)?;
        let logprobs = sampling.logprobs == Some(true) || sampling.top_logprobs.is_some_and(|top| top > 0);
        self.drop_if(logprobs, Field::Logprobs)?;
        self.drop_if(sampling.logit_bias.is_some(), Field::LogitBias)?;
        if sampling.choices.is_some_and(|choices| choices > 1) {
            self.drop_named(Field::Choices, Field::Choices.name(), "reduced to 1")?;
        }
        Ok(())
    }

    /// Keeps an entry, once.
    fn note(&mut self, field: Cow<'static, str>, what: impl Into<Cow<'static, str>>) {
        let change = Change { field, what: what.into() };
        if self.changes.contains(&change) {
            return;
        }
        if self.changes.len() < MAX_CHANGES {
            self.changes.push(change);
        } else {
            self.uncounted = self.uncounted.saturating_add(1);
        }
    }

    /// What was done, in order; at most 64 entries, each once.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The record as a header value, `field: what; field: what`, in printable
    /// ASCII; `None`: nothing was changed.
    pub fn header(&self) -> Option<String> {
        let entries: Vec<String> =
            self.changes.iter().map(|change| format!("{}: {}", change.field, change.what)).collect();
        let more = (self.uncounted > 0).then(|| format!("and {} more", self.uncounted));
        let text = entries.into_iter().chain(more).collect::<Vec<_>>().join("; ");
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        (!text.is_empty()).then(|| text.chars().map(printable).collect())
    }
}

fn refusal(name: Cow<'static, str>) -> Failure {
    let public = format!("The model that serves this request does not take `{name}`.");
    Failure::new(Kind::InvalidRequest, public).param(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_decides_and_the_record_says_what_was_done() {
        let mut adapted =
            Adapted::new(Policy::new([(Field::Seed, Stance::Refuse), (Field::TopK, Stance::Pass)]));
        assert_eq!(adapted.adapt(Field::Temperature, "clamped to 1").unwrap(), Fate::Adapt);
        assert!(adapted.adapt(Field::TopK, "dropped").unwrap().passes());
        let failure = adapted.adapt(Field::Seed, "dropped").unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some("seed")));
        assert_eq!(adapted.header().unwrap(), "temperature: clamped to 1");
    }

    #[test]
    fn what_cannot_be_written_is_dropped_even_if_it_should_pass() {
        let mut adapted = Adapted::new(Policy::new([(Field::Seed, Stance::Pass)]));
        adapted.drop_if(true, Field::Seed).unwrap();
        adapted.drop_if(false, Field::TopK).unwrap();
        assert_eq!(adapted.header().unwrap(), "seed: dropped");
    }

    #[test]
    fn the_record_is_bounded_and_a_header_is_printable() {
        let mut adapted = Adapted::default();
        assert_eq!(adapted.header(), None);
        for number in 0..MAX_CHANGES + 3 {
            _ = adapted.adapt_named(Field::Extra, format!("f{number}\r\né"), "dropped").unwrap();
        }
        assert_eq!(adapted.changes().len(), MAX_CHANGES);
        let header = adapted.header().unwrap();
        assert!(header.ends_with("and 3 more") && header.is_ascii() && !header.contains('\n'));
    }

    #[test]
    fn what_no_vendor_wants_is_let_go_unless_somebody_said_otherwise() {
        let none = Policy::default();
        assert!(none.lets_go("n").is_ok() && none.lets_go("presence_penalty").is_ok());
        let strict = Policy::read(["*"].into_iter(), Stance::Refuse).unwrap();
        for member in ["presence_penalty", "seed", "made_up", "n"] {
            assert_eq!(strict.lets_go(member).unwrap_err().param.as_deref(), Some(member));
        }
        assert!(strict.lets_go("max_tokens").is_ok());
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = Field::ALL.iter().map(|field| field.name()).collect();
        assert_eq!(names.len(), Field::ALL.len());
    }
}
