//! Pictures to order, as OpenAI's callers order and get them, for the vendors
//! that speak of them in another way.
//!
//! [`read()`] makes a [`Wish`] of a caller's body, JSON or a form; [`write()`] makes
//! the caller's answer of what was [`Drawn`]. What lies between is each vendor's:
//! in its dialect's folder, or here where its door resembles OpenAI's.

mod answer;
mod ark;
mod read;
mod size;
mod stream;
mod xai;

pub use answer::{DrawPlan, Drawn, Picture, merge, merged_usage, write};
pub use ark::ark_out;
pub use read::read;
pub use size::{Size, nearest};
pub use stream::{Watch, events};
pub use xai::xai_out;

use crate::chat::{Adapted, Dialect, Extra, Field, Json, Source};
use crate::error::{Failure, Kind, Result};

/// The most pictures of one request, as OpenAI has it.
pub const MAX_PICTURES: u32 = 10;

/// How a vendor is asked to draw. A column of the vendor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// As OpenAI is: bodies pass through.
    OpenAi,
    /// In Gemini's words: `generateContent`, and `predict` for Imagen.
    Gemini,
    /// In a chat of OpenAI's dialect whose answer has pictures (OpenRouter).
    InChat,
    /// At a door like OpenAI's that has aspect ratios and takes JSON only (xAI).
    Xai,
    /// At a door like OpenAI's that edits and generates alike (Volcengine Ark's Seedream).
    Ark,
}

impl Draws {
    /// The dialect in metrics and logs.
    pub fn dialect(self) -> Dialect {
        match self {
            Draws::Gemini => Dialect::Gemini,
            Draws::OpenAi | Draws::InChat | Draws::Xai | Draws::Ark => Dialect::OpenAiChat,
        }
    }
}

/// In which form the caller wants its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An address to load it from.
    Url,
    /// The bytes, in base64.
    Base64,
}

impl Form {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Form::Url => "url",
            Form::Base64 => "b64_json",
        }
    }
}

/// What a caller wants drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// What is to be seen.
    pub prompt: String,
    /// How many pictures, 1 to [`MAX_PICTURES`].
    pub count: u32,
    /// How large, if the caller says.
    pub size: Option<Size>,
    /// In which form it wants them, if it says.
    pub form: Option<Form>,
    /// Are they wanted as events? No vendor of other words than OpenAI's has events for pictures.
    pub stream: bool,
    /// Pictures to begin with; at least one for an edit.
    pub pictures: Vec<Source>,
    /// What of the first picture may change.
    pub mask: Option<Source>,
    /// Everything else, by the names that callers use.
    pub rest: Vec<Extra>,
}

impl Wish {
    /// Takes a field that is a text.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        self.take(name)?.read()
    }

    /// Takes any other field.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.rest.iter().position(|extra| extra.name == name)?;
        Some(self.rest.remove(at).json)
    }

    /// Drops what nobody took; a value that asks for the usual is dropped in silence.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] where the policy does not let a field go.
    pub fn drop_rest(&mut self, adapted: &mut Adapted) -> Result<()> {
        for extra in std::mem::take(&mut self.rest) {
            let usual = matches!(extra.json.as_str(), r#""auto""# | r#""standard""# | "false");
            let field = if extra.name == "user" { Field::User } else { Field::Extra };
            if !usual {
                adapted.drop_named(field, extra.name, "dropped")?;
            }
        }
        Ok(())
    }

    /// Leaves the mask out, if there is one.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] unless the policy lets it go: without its mask an edit is another one.
    pub fn drop_mask(&mut self, adapted: &mut Adapted) -> Result<()> {
        adapted.drop_if(self.mask.take().is_some(), Field::Mask)
    }

    /// Notes that pictures come as bytes although an address was asked for.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] where the policy wants no such thing.
    pub fn only_bytes(&self, adapted: &mut Adapted) -> Result<()> {
        if self.form == Some(Form::Url) {
            adapted.drop_named(Field::Extra, "response_format", "the url is a data: URL")?;
        }
        Ok(())
    }

    /// The aspect ratio, among those that a model has, that comes nearest to the wished size; noted
    /// where that is not all that was wished. `None`: no size was named.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] where the policy wants the size as it is.
    pub fn ratio(&self, known: &[&'static str], adapted: &mut Adapted) -> Result<Option<String>> {
        match &self.size {
            None | Some(Size::Auto | Size::Named(_)) => Ok(None),
            Some(Size::Ratio(ratio)) => Ok(Some(ratio.clone())),
            Some(Size::Pixels(across, down)) => {
                let ratio = nearest(*across, *down, known);
                adapted.drop_named(Field::Size, "size", format!("as aspect ratio {ratio}"))?;
                Ok(Some(ratio.to_owned()))
            }
        }
    }
}

/// A refusal that names its field.
pub(super) fn refuse(field: &'static str, public: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(field)
}

/// The vendor drew nothing, and what it says of that.
pub(super) fn nothing_drawn(why: &str) -> Failure {
    let why: String = why.chars().filter(|c| !c.is_control()).take(300).collect();
    let text = if why.is_empty() {
        "The model drew no picture.".to_owned()
    } else {
        format!("The model drew no picture: {why}")
    };
    Failure::new(Kind::VendorRefused, text)
}

#[cfg(test)]
mod tests;
