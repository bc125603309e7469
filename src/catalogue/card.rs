//! The card of one model: everything that is known of it but its price.

use super::Day;
use crate::chat::Abilities;
use crate::tokens::Family;
use std::sync::Arc;

/// What is known of one model. `None` and abilities that are in neither set:
/// not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card {
    /// A vendor's name, or a configured provider's.
    pub provider: Arc<str>,
    /// The vendor's name for the model, in lower case; ends in `*` to match
    /// every name that begins so.
    pub model: Arc<str>,
    /// The name for people.
    pub title: Option<Arc<str>>,
    /// Tokens that fit into the model, input and output together.
    pub context: Option<u64>,
    /// The most tokens of one answer.
    pub max_output: Option<u64>,
    /// What it can do.
    pub can: Abilities,
    /// What it is known not to do.
    pub cannot: Abilities,
    /// How it cuts text into tokens.
    pub tokenizer: Option<Family>,
    /// When it came out.
    pub released: Option<Day>,
    /// When the vendor takes it away.
    pub retires: Option<Day>,
    /// The vendor calls it deprecated.
    pub deprecated: bool,
    /// The lists that say so.
    pub source: Arc<str>,
}

/// Where a model stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nobody says that it ends.
    Active,
    /// It is called deprecated, or has a last day that is to come.
    Deprecated,
    /// Its last day has passed.
    Retired,
}

impl Life {
    /// The name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Life::Active => "active",
            Life::Deprecated => "deprecated",
            Life::Retired => "retired",
        }
    }
}

impl Card {
    /// This card, with what it does not say taken from another.
    #[must_use]
    pub fn over(mut self, other: &Card) -> Card {
        self.title = self.title.or_else(|| other.title.clone());
        self.context = self.context.or(other.context);
        self.max_output = self.max_output.or(other.max_output);
        let said = self.can.union(self.cannot);
        self.can = self.can.union(other.can.without(said));
        self.cannot = self.cannot.union(other.cannot.without(said));
        self.tokenizer = self.tokenizer.or(other.tokenizer);
        self.released = self.released.or(other.released);
        self.retires = self.retires.or(other.retires);
        self.deprecated |= other.deprecated;
        self
    }

    /// What a name that stands for both can do at its best, for a request goes
    /// to the one that can.
    #[must_use]
    pub fn beside(mut self, other: &Card) -> Card {
        let most = |one: Option<u64>, other: Option<u64>| one.zip(other).map(|(a, b)| a.max(b));
        self.context = most(self.context, other.context);
        self.max_output = most(self.max_output, other.max_output);
        self.can = self.can.union(other.can);
        self.cannot = self.cannot.both(other.cannot);
        self
    }

    /// The most tokens of one answer: never more than fit into the model.
    pub fn output_limit(&self) -> Option<u64> {
        match (self.max_output, self.context) {
            (Some(output), Some(context)) => Some(output.min(context)),
            (output, _) => output,
        }
    }

    /// Where the model stands on a day.
    pub fn life(&self, today: Day) -> Life {
        match self.retires {
            Some(last) if last <= today => Life::Retired,
            Some(_) => Life::Deprecated,
            None if self.deprecated => Life::Deprecated,
            None => Life::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Ability;

    fn set(abilities: &[Ability]) -> Abilities {
        abilities.iter().copied().collect()
    }

    #[test]
    fn what_a_card_says_holds_and_gaps_are_filled() {
        let own = Card { context: Some(1), cannot: set(&[Ability::Image]), ..Card::default() };
        let list = Card {
            context: Some(2),
            max_output: Some(3),
            can: set(&[Ability::Image, Ability::Tools]),
            cannot: set(&[Ability::Audio]),
            deprecated: true,
            ..Card::default()
        };
        let both = own.over(&list);
        assert_eq!((both.context, both.max_output, both.deprecated), (Some(1), Some(3), true));
        assert_eq!(both.can, set(&[Ability::Tools]));
        assert_eq!(both.cannot, set(&[Ability::Image, Ability::Audio]));
    }

    #[test]
    fn a_group_can_what_one_of_it_can_and_is_known_only_as_far_as_all_are() {
        let blind = Card { context: Some(8), cannot: set(&[Ability::Image]), ..Card::default() };
        let seeing = Card { context: Some(128), can: set(&[Ability::Image]), ..Card::default() };
        let group = blind.clone().beside(&seeing);
        assert_eq!(
            (group.context, group.can, group.cannot),
            (Some(128), set(&[Ability::Image]), Abilities::NONE)
        );
        assert_eq!(blind.beside(&Card::default()).context, None);
    }

    #[test]
    fn a_life_ends_on_its_last_day() {
        let day = |text| Day::parse(text).unwrap();
        let card = Card { retires: Some(day("2026-11-20")), ..Card::default() };
        assert_eq!(card.life(day("2026-11-19")), Life::Deprecated);
        assert_eq!(card.life(day("2026-11-20")), Life::Retired);
        assert_eq!(Card::default().life(day("2026-11-20")), Life::Active);
        assert_eq!(Card { deprecated: true, ..Card::default() }.life(day("2026-11-20")), Life::Deprecated);
    }

    #[test]
    fn an_answer_is_never_longer_than_the_context() {
        let card = Card { context: Some(8_192), max_output: Some(10_000), ..Card::default() };
        assert_eq!(card.output_limit(), Some(8_192));
        assert_eq!(Card { context: Some(8_192), ..Card::default() }.output_limit(), None);
    }
}
