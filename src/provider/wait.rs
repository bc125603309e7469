//! How long a vendor asks to wait: `retry-after-ms`, `retry-after` (seconds or HTTP date), `x-ratelimit-reset-*` (`6m0s`), or its own form in the body.

use std::time::Duration;

/// The longest wait that the headers name, bounded to an hour.
pub fn retry_after(_headers: &http::HeaderMap, _body: &[u8], _wall_seconds: i64) -> Option<Duration> {
    todo!()
}
