//! What a request needs, and what a model lacks for it.

use super::Card;
use crate::chat::{Abilities, Ability};

/// What a request needs of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What the model must be able to do.
    pub abilities: Abilities,
    /// The most tokens of the answer, where the caller names them.
    pub max_output: Option<u64>,
    /// Tokens of the input that are certain: never more than there are.
    pub input: u64,
}

/// What a model lacks for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It is known not to do this.
    Ability(Ability),
    /// The answer may be longer than this many tokens.
    Output(u64),
    /// The input is longer than this many tokens.
    Context(u64),
}

impl Lack {
    /// Can the request be said so that it goes without?
    pub fn is_adaptable(self) -> bool {
        match self {
            Lack::Ability(ability) => ability.is_adaptable(),
            Lack::Output(_) => true,
            Lack::Context(_) => false,
        }
    }

    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Lack::Ability(ability) => ability.name(),
            Lack::Output(_) => "max_output_tokens",
            Lack::Context(_) => "context_length",
        }
    }
}

impl Needs {
    /// The first thing that a model is known to lack, those first that nothing
    /// can be done about.
    pub fn lack(&self, card: &Card) -> Option<Lack> {
        let missing = self.abilities.both(card.cannot);
        let hard = missing.iter().find(|ability| !ability.is_adaptable()).map(Lack::Ability);
        let context = || card.context.filter(|context| self.input > *context).map(Lack::Context);
        let soft = || missing.iter().next().map(Lack::Ability);
        let output = || {
            let most = card.output_limit()?;
            self.max_output.filter(|wish| *wish > most).map(|_| Lack::Output(most))
        };
        hard.or_else(context).or_else(soft).or_else(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(abilities: &[Ability]) -> Abilities {
        abilities.iter().copied().collect()
    }

    #[test]
    fn only_a_plain_no_is_a_lack() {
        let needs = Needs { abilities: set(&[Ability::Image]), max_output: Some(10), input: 10 };
        assert_eq!(needs.lack(&Card::default()), None, "nothing is known");
        let blind = Card { cannot: set(&[Ability::Image, Ability::Audio]), ..Card::default() };
        assert_eq!(needs.lack(&blind), Some(Lack::Ability(Ability::Image)));
        assert_eq!(Needs::default().lack(&blind), None, "nothing is needed");
    }

    #[test]
    fn limits_are_met_exactly_and_passed_by_one() {
        let card = Card { context: Some(100), max_output: Some(10), ..Card::default() };
        let lack = |max_output, input| Needs { max_output, input, ..Needs::default() }.lack(&card);
        assert_eq!(lack(Some(10), 100), None);
        assert_eq!(lack(Some(11), 100), Some(Lack::Output(10)));
        assert_eq!(lack(Some(11), 101), Some(Lack::Context(100)), "what cannot be mended comes first");
    }
}
