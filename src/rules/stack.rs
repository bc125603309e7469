//! Room for a parser that recurses.

use std::thread::{Builder, scope};

/// Address space, not memory: ample for the longest condition in an unoptimised build.
const STACK_BYTES: usize = 256 << 20;

/// Runs `work` on a stack of its own and waits for it. The CEL parser needs
/// kilobytes of stack for each bracket and operator, more than a thread of a
/// server has left, and a configuration must never end the process.
///
/// # Errors
/// When no thread could be started, or the parser panicked; half a sentence.
pub(super) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    scope(|scope| {
        let thread =
            Builder::new().name("rules".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| format!("no thread to read rules on: {error}"))?;
        thread.join().map_err(|_| "the CEL parser gave up on a condition".to_owned())
    })
}
