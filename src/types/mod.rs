//! Values that everybody shares and that cannot be wrong once built: ids,
//! money, usage, time, secrets, operations, kinds of notices. Knows nothing of vendors or HTTP.

mod clock;
mod currency;
mod ids;
mod money;
mod notice;
mod op;
mod party;
mod secret;
mod usage;

pub use clock::{Clock, Mono, Wall};
pub use currency::{credits_of, minor_of, minor_units};
pub use ids::{CredentialId, InvalidName, KeyId, ModelName, ProviderName, RequestId, TenantId};
pub use money::{ParseMoneyError, Pico, Rate};
pub use notice::{NOTICES, NoticeKind, NoticeRow};
pub use op::Op;
pub use party::Party;
pub use secret::Secret;
pub use usage::{Usage, UsageSource};
