//! Limits of whoever calls.

/// The limits that a table of the file sets. Tables with these seven settings are of types of their
/// own, because one that is flattened into another could neither refuse unknown keys nor tell lines.
macro_rules! limits {
    ($resolver:expr, $raw:expr) => {
        crate::limit::Limits {
            requests_per_minute: $raw.requests_per_minute.as_ref().map(|at| at.value),
            tokens_per_minute: $raw.tokens_per_minute.as_ref().map(|at| at.value),
            concurrency: $raw.concurrency.as_ref().map(|at| at.value),
            day_tokens: $raw.day_tokens.as_ref().map(|at| at.value),
            month_tokens: $raw.month_tokens.as_ref().map(|at| at.value),
            day_cost: $raw.day_cost.as_ref().and_then(|at| $resolver.note(&at.span, at.value.read())),
            month_cost: $raw.month_cost.as_ref().and_then(|at| $resolver.note(&at.span, at.value.read())),
        }
    };
}
pub(super) use limits;
