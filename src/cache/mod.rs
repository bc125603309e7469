//! Answers kept and shared: exact match on tenant and canonical request,
//! bounded by bytes, and one vendor call for identical requests in flight.
//!
//! Knows nothing of HTTP or vendors, and does no I/O of its own. It decides
//! and stores; the proxy acts. What the proxy must obey:
//!
//! - Only an answer with status 200 is stored, and only when it is complete: a
//!   stream that was truncated, cut or ended in an error event never is.
//! - An answer larger than the operator's bound for one entry is not stored.
//! - [`Cache::put`] comes before [`Writer::finish`]. The other way round, a
//!   request that arrives in between finds neither the flight nor the entry
//!   and pays for a second vendor call.
//! - A flight is joined by [`CacheKey`], so it is tenant-bound like the cache.
//!
//! Beside them [`Recall`] keeps the thoughts behind calls of tools for callers that cannot return them.
//!
//! # What may be cached
//!
//! [`cacheable`] decides by this table, from top to bottom; "explicit" means
//! that the key, the model, a rule or the request itself turned caching on.
//!
//! | request | cached |
//! |---|---|
//! | any operation but chat, completion, embedding, moderation, speech | never |
//! | body that is no JSON object, repeats a key, or nests deeper than 128 | never |
//! | `store: true` (the vendor keeps a record the caller will ask for) | never |
//! | `n` or `best_of` above 1, or not a number (the caller wants variety) | never |
//! | embedding, moderation | yes |
//! | speech | if explicit |
//! | `tools`, `functions`, web search or plug-ins (the answer depends on more than the request) | if explicit |
//! | `temperature` absent or above 0, without `seed` | if explicit |
//! | everything else of chat and completion | yes |

mod canonical;
mod flight;
mod key;
mod recall;
mod store;
mod wish;

pub use flight::{Flights, Head, Part, Piece, Reader, Writer};
pub use key::{CacheKey, LEFT_OUT, cacheable};
pub use recall::{Recall, Thoughts};
pub use store::{Cache, Stored};
pub use wish::{MAX_TTL, Policy, Wish};
