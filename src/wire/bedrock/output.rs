//! How a model is held to the shape of its answer.

use super::traits::Family;
use crate::chat::{Adapted, Field, ModelTraits, Output, Request};
use crate::error::Result;

/// The tool that stands for an answer in JSON, for models that know no schema of an answer:
/// they are made to call it, and what they call it with is the answer.
pub(super) const ANSWER_TOOL: &str = "aigne_hub_answer";

/// How the shape is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text will do.
    Free,
    /// The vendor holds the model to it.
    Config,
    /// By [`ANSWER_TOOL`].
    Tool,
    /// By words.
    Instruction,
}

/// Chooses the form. A tool that must be called leaves no room for others, nor for thoughts.
pub(super) fn form(
    request: &Request,
    traits: &ModelTraits,
    family: Family,
    thinks: bool,
    adapted: &mut Adapted,
) -> Result<Form> {
    let free = request.tools.is_empty() && !thinks;
    let (form, what) = match &request.output {
        Output::Text => return Ok(Form::Free),
        Output::JsonSchema { .. } if traits.json_schema => return Ok(Form::Config),
        Output::JsonSchema { schema, .. }
            if schema.is_object() && free && traits.tools && family.takes_choice() && !has_calls(request) =>
        {
            (Form::Tool, "asked for by a tool")
        }
        _ => (Form::Instruction, "asked for by an instruction"),
    };
    adapted.drop_named(Field::Output, Field::Output.name(), what)?;
    Ok(form)
}

/// Has the conversation called tools? They then have to be told beside the answer's.
fn has_calls(request: &Request) -> bool {
    use crate::chat::Part;
    request.messages.iter().flat_map(|message| &message.parts).any(|part| matches!(part, Part::ToolCall(_)))
}
