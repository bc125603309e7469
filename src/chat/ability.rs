//! What a request may need and a model may do, as a set of bits. Requests are
//! read into one, model cards hold two, and comparing them is one `and`.

use std::fmt;

macro_rules! abilities {
    ($($(#[$doc:meta])* $ability:ident = $name:literal, $title:literal;)*) => {
        /// One thing that not every model can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Ability { $($(#[$doc])* $ability),* }

        impl Ability {
            /// Every ability, in the order in which they are listed.
            pub const ALL: &[Ability] = &[$(Ability::$ability),*];

            /// The name in the configuration, in the catalogue and in listings.
            pub fn name(self) -> &'static str {
                match self { $(Ability::$ability => $name),* }
            }

            /// What a model that lacks it does not take, for people.
            pub fn title(self) -> &'static str {
                match self { $(Ability::$ability => $title),* }
            }
        }
    };
}

abilities! {
    /// Sees pictures.
    Image = "image", "images";
    /// Reads documents such as PDF.
    Document = "document", "documents";
    /// Hears sound.
    Audio = "audio", "audio";
    /// Watches films.
    Video = "video", "video";
    /// Calls tools.
    Tools = "tools", "tools";
    /// Thinks before it answers.
    Thinking = "thinking", "thinking";
    /// Holds its answer to a JSON schema.
    JsonSchema = "json_schema", "a JSON schema for its answer";
    /// Keeps what it has read for a cheaper second reading.
    PromptCache = "prompt_cache", "hints for a prompt cache";
    /// Answers in a stream.
    Streaming = "streaming", "streaming";
    /// Searches the web by itself.
    WebSearch = "web_search", "web search";
    /// Answers with text.
    TextOutput = "text_output", "the wish for a text";
    /// Answers with pictures.
    ImageOutput = "image_output", "the wish for an image";
    /// Answers with sound.
    AudioOutput = "audio_output", "the wish for audio";
    /// Answers with films.
    VideoOutput = "video_output", "the wish for a video";
    /// Answers with vectors.
    Embeddings = "embeddings", "the wish for embeddings";
}

impl Ability {
    /// The ability of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|ability| ability.name() == name)
    }

    /// Can a request that needs it be told to do without, by saying the wish
    /// in words or dropping it? Else the request would be another one.
    pub fn is_adaptable(self) -> bool {
        matches!(self, Self::JsonSchema | Self::Thinking | Self::PromptCache | Self::Streaming)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// A set of abilities.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities(u32);

impl Abilities {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub fn insert(&mut self, ability: Ability) {
        self.0 |= ability.bit();
    }

    /// Adds one, if so.
    pub fn insert_if(&mut self, ability: Ability, so: bool) {
        self.0 |= if so { ability.bit() } else { 0 };
    }

    /// Is it there?
    pub fn contains(self, ability: Ability) -> bool {
        self.0 & ability.bit() != 0
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one only.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Is nothing in it?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in it, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Ability> {
        Ability::ALL.iter().copied().filter(move |ability| self.contains(*ability))
    }
}

impl FromIterator<Ability> for Abilities {
    fn from_iter<I: IntoIterator<Item = Ability>>(abilities: I) -> Self {
        let mut set = Self::NONE;
        abilities.into_iter().for_each(|ability| set.insert(ability));
        set
    }
}

impl fmt::Debug for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The names with commas between them.
impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ability) in self.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", ability.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for ability in Ability::ALL {
            assert_eq!(Ability::parse(ability.name()), Some(*ability));
        }
        assert_eq!(Ability::parse("Image"), None);
    }

    #[test]
    fn sets_are_what_was_put_in() {
        let mut set: Abilities = [Ability::Tools, Ability::Image].into_iter().collect();
        set.insert_if(Ability::Audio, false);
        assert_eq!(set.to_string(), "image,tools");
        let other: Abilities = [Ability::Tools].into_iter().collect();
        assert_eq!(set.both(other), other);
        assert_eq!(set.without(other).iter().collect::<Vec<_>>(), [Ability::Image]);
        assert!(Abilities::NONE.is_empty() && !set.is_empty());
    }
}
