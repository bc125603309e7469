//! A notice by HTTP, to addresses that notices may go to.

use super::delivery::Delivery;
use super::outbox::Verdict;
use super::sign::{SIGNATURE_HEADER, signature};
use crate::access::AddressSet;
use crate::fetch::{Ask, Bounds, Client, Reach};
use crate::types::{Secret, Wall};
use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;

/// Of the answer only the header is read.
const BOUNDS: Bounds =
    Bounds { connect: Duration::from_secs(5), answer: Duration::from_secs(15), largest: None };

/// What a receiver said.
pub(super) struct Answer {
    pub(super) status: u16,
    retry_after: Option<Duration>,
}

impl Answer {
    /// 2xx is an arrival, 410 an end; after everything else it may go better later.
    pub(super) fn verdict(&self) -> Verdict {
        match self.status {
            200..=299 => Verdict::Done,
            410 => Verdict::Never,
            _ => Verdict::Later(self.retry_after),
        }
    }

    pub(super) fn error(&self) -> String {
        match self.status {
            200..=299 => String::new(),
            300..=399 => "the receiver redirects, and redirects are not followed".to_owned(),
            410 => "the receiver says that it is gone for good".to_owned(),
            status => format!("the receiver answered {status}"),
        }
    }
}

/// Sends a delivery.
///
/// # Errors
/// Why nobody answered.
pub(super) async fn post(
    url: &str,
    secrets: &[Secret],
    delivery: &Delivery,
    at: Wall,
    (opened, client): (&AddressSet, &Client),
) -> Result<Answer, String> {
    let body = delivery.notice.body();
    let headers = headers(delivery, signature(secrets, at, &body)).map_err(|error| error.to_string())?;
    let ask = Ask {
        method: Method::POST,
        url,
        headers,
        body: body.into(),
        ca: None,
        reach: Reach::Allowed { opened, setting: "notices.allow" },
        bounds: BOUNDS,
    };
    let answer = client.ask(ask).await?;
    let seconds = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    Ok(Answer { status: answer.status.as_u16(), retry_after })
}

fn headers(
    delivery: &Delivery,
    signature: String,
) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
    let name = HeaderName::from_static;
    Ok(vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (name("x-aigne-notice"), HeaderValue::from_str(&delivery.notice.id)?),
        (name("x-aigne-type"), HeaderValue::from_str(delivery.notice.kind.name())?),
        (name("x-aigne-attempt"), HeaderValue::from(delivery.attempts.saturating_add(1))),
        (name(SIGNATURE_HEADER), HeaderValue::try_from(signature)?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_an_arrival_and_only_410_an_end() {
        let verdict = |status| Answer { status, retry_after: None }.verdict();
        assert_eq!((verdict(200), verdict(204)), (Verdict::Done, Verdict::Done));
        assert_eq!(verdict(410), Verdict::Never);
        for status in [301, 400, 404, 429, 500] {
            assert_eq!(verdict(status), Verdict::Later(None));
        }
    }
}
