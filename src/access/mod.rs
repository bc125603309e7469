//! Who may come in: keys by keyed hash, allowed models, addresses.
//!
//! Decisions only. Knows nothing of HTTP, of live counters (`limit::Gate`), or
//! of where keys are stored.

mod address_table;
mod addresses;
mod client;
mod generate;
pub mod jwt;
mod key;
mod models;
mod public;
mod sealed;
mod sessions;
mod table;
mod ticket;
mod uses;

pub use address_table::{AddressTable, Verdict};
pub use addresses::{AddressRules, AddressSet, network};
pub use client::client_address;
pub use generate::{NewKey, generate, looks_like_key};
pub use key::{Key, KeyRefusal};
pub use models::ModelFilter;
pub use public::{is_public, may_call};
pub use sealed::{is_sealed, open_sealed};
pub use sessions::{Code, Open, Refusal as SessionRefusal, Seen, Sessions};
pub use table::{KeyHash, KeyTable, Pepper};
pub use ticket::{Ticket, TicketSealer};
pub use uses::{KeyUse, Uses};
