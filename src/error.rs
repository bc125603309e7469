//! Every way a request can fail: one table of kinds, two texts per failure.
//!
//! `public` is what the caller can act on; `detail` is for the log and never
//! leaves. How a failure looks in a dialect is `wire`'s business.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's request.
    Caller,
    /// A limit, budget or rule that the operator set.
    Policy,
    /// The vendor, or the way to it.
    Vendor,
    /// The hub.
    Hub,
}

/// What is fixed for a kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// HTTP status.
    pub status: u16,
    /// OpenAI's `error.type` and `error.code`.
    pub openai: (&'static str, &'static str),
    /// Anthropic's `error.type`.
    pub anthropic: &'static str,
    /// Who is to blame.
    pub blame: Blame,
    /// May the next target of the plan be tried?
    pub next_target: bool,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:literal, $type:literal, $code:literal, $anthropic:literal, $blame:ident, $next:literal;)*) => {
        /// A kind of failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $kind),* }

        impl Kind {
            /// Every kind, for tables and tests.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// The kind's row.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Kind::$kind => &Row {
                        status: $status, openai: ($type, $code), anthropic: $anthropic,
                        blame: Blame::$blame, next_target: $next,
                    }),*
                }
            }
        }
    };
}

kinds! {
    /// The body is not what the endpoint takes.
    InvalidRequest = 400, "invalid_request_error", "invalid_request", "invalid_request_error", Caller, false;
    /// No key, or one that is unknown, disabled or expired.
    Unauthenticated = 401, "authentication_error", "invalid_api_key", "authentication_error", Caller, false;
    /// The wallet cannot carry the request.
    NoFunds = 402, "insufficient_quota", "insufficient_credits", "billing_error", Policy, false;
    /// The address is not allowed.
    AddressDenied = 403, "permission_error", "ip_not_allowed", "permission_error", Policy, false;
    /// The access token is not for this.
    InsufficientScope = 403, "permission_error", "insufficient_scope", "permission_error", Policy, false;
    /// A rule said no.
    RuleDenied = 403, "permission_error", "denied_by_rule", "permission_error", Policy, false;
    /// No such endpoint.
    UnknownEndpoint = 404, "invalid_request_error", "unknown_url", "not_found_error", Caller, false;
    /// No such model, or none that the key may use.
    UnknownModel = 404, "invalid_request_error", "model_not_found", "not_found_error", Caller, false;
    /// No kept response with this id that the key may see.
    UnknownResponse = 404, "invalid_request_error", "response_not_found", "not_found_error", Caller, false;
    /// A video that is unknown here, or another tenant's.
    UnknownVideo = 404, "invalid_request_error", "video_not_found", "not_found_error", Caller, false;
    /// No kept response to go on from.
    UnknownPrevious = 400, "invalid_request_error", "previous_response_not_found", "invalid_request_error", Caller, false;
    /// The endpoint exists, but not for this method.
    MethodNotAllowed = 405, "invalid_request_error", "method_not_allowed", "invalid_request_error", Caller, false;
    /// The body took too long to arrive.
    BodyTimeout = 408, "invalid_request_error", "request_timeout", "invalid_request_error", Caller, false;
    /// The body is larger than the bound.
    BodyTooLarge = 413, "invalid_request_error", "request_too_large", "request_too_large", Caller, false;
    /// A body encoding that the hub does not read.
    UnsupportedEncoding = 415, "invalid_request_error", "unsupported_encoding", "invalid_request_error", Caller, false;
    /// The model has no price and policy wants one.
    Unpriced = 400, "invalid_request_error", "model_not_priced", "invalid_request_error", Policy, false;
    /// No model of the plan can do what the request needs.
    Unable = 400, "invalid_request_error", "unsupported_by_model", "invalid_request_error", Caller, false;
    /// The input is longer than any model of the plan can read. Clients know the code by heart.
    ContextExceeded = 400, "invalid_request_error", "context_length_exceeded", "invalid_request_error", Caller, false;
    /// A rate limit of the key.
    RateLimited = 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", Policy, false;
    /// Too many requests of the key at once.
    TooManyConcurrent = 429, "rate_limit_error", "concurrency_limit_exceeded", "rate_limit_error", Policy, false;
    /// A token or money budget of the key is used up.
    BudgetExceeded = 429, "insufficient_quota", "budget_exceeded", "rate_limit_error", Policy, false;
    /// A quota is used up, of money too: 402 is for wallets alone, which somebody can fill.
    QuotaExceeded = 429, "insufficient_quota", "quota_exceeded", "rate_limit_error", Policy, false;
    /// Too many refused requests from one address.
    Flooded = 429, "rate_limit_error", "too_many_failures", "rate_limit_error", Policy, false;
    /// The caller went away.
    CallerGone = 499, "invalid_request_error", "client_closed_request", "invalid_request_error", Caller, false;
    /// The vendor refused the request itself (its 4xx, passed on).
    VendorRefused = 400, "invalid_request_error", "upstream_invalid_request", "invalid_request_error", Caller, false;
    /// The vendor does not know the model.
    VendorUnknownModel = 404, "invalid_request_error", "model_not_found", "not_found_error", Vendor, true;
    /// The vendor refused our credential. Ours to fix, so never a 401.
    VendorAuth = 502, "api_error", "upstream_authentication_failed", "api_error", Hub, true;
    /// The vendor wants money from us.
    VendorBilling = 502, "api_error", "upstream_billing", "api_error", Hub, true;
    /// The vendor throttles us.
    VendorRateLimited = 429, "rate_limit_error", "upstream_rate_limited", "rate_limit_error", Vendor, true;
    /// The vendor failed.
    VendorError = 502, "api_error", "upstream_error", "api_error", Vendor, true;
    /// The vendor is overloaded.
    VendorOverloaded = 503, "api_error", "upstream_overloaded", "overloaded_error", Vendor, true;
    /// No connection to the vendor.
    VendorUnreachable = 502, "api_error", "upstream_unreachable", "api_error", Vendor, true;
    /// The vendor was too slow.
    VendorTimeout = 504, "api_error", "upstream_timeout", "timeout_error", Vendor, true;
    /// The vendor cut its answer short.
    VendorCut = 502, "api_error", "upstream_closed_early", "api_error", Vendor, true;
    /// The vendor's answer cannot be read.
    VendorMalformed = 502, "api_error", "upstream_malformed", "api_error", Vendor, true;
    /// Every credential of every target is cooling down or out.
    NoCapacity = 503, "api_error", "no_capacity", "overloaded_error", Vendor, false;
    /// `only-if-cached`, and it is not (RFC 9111 §5.2.1.7).
    NotCached = 504, "invalid_request_error", "not_cached", "invalid_request_error", Caller, false;
    /// The hub buffers as many bytes as it may.
    Overloaded = 503, "api_error", "overloaded", "overloaded_error", Hub, false;
    /// The ledger cannot be written and policy wants it.
    LedgerUnavailable = 503, "api_error", "ledger_unavailable", "api_error", Hub, false;
    /// A defect of the hub.
    Internal = 500, "api_error", "internal_error", "api_error", Hub, false;
}

impl Kind {
    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        self.row().openai.1
    }
}

/// One failure of one request.
#[derive(Clone)]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// For the caller. Names no host, no secret, no internals.
    pub public: Cow<'static, str>,
    /// For the log.
    pub detail: String,
    /// The request's field that is wrong, if one is.
    pub param: Option<Cow<'static, str>>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// The methods that would do, where the method is what is wrong.
    pub allowed: Option<String>,
    /// What a vendor said of a request it refused, in place of the kind's own.
    pub passed: Passed,
}

/// A vendor's own status, type and code of a refusal that the caller has to act on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// HTTP status.
    pub status: Option<u16>,
    /// `error.type`.
    pub error_type: Option<String>,
    /// `error.code`.
    pub code: Option<String>,
}

/// The result of a step of a request.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with the text for the caller.
    pub fn new(kind: Kind, public: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            public: public.into(),
            detail: String::new(),
            param: None,
            retry_after: None,
            allowed: None,
            passed: Passed::default(),
        }
    }

    /// The HTTP status to answer with.
    pub fn status(&self) -> u16 {
        self.passed.status.unwrap_or(self.kind.row().status)
    }

    /// OpenAI's `error.type` and `error.code`: the vendor's own where it refused the request itself.
    pub fn openai(&self) -> (&str, &str) {
        let (error_type, code) = self.kind.row().openai;
        let Passed { error_type: passed_type, code: passed_code, .. } = &self.passed;
        (passed_type.as_deref().unwrap_or(error_type), passed_code.as_deref().unwrap_or(code))
    }

    /// Adds the text for the log.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = detail.to_string();
        self
    }

    /// Names the wrong field.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Names the methods that would do.
    #[must_use]
    pub fn allowing(mut self, methods: String) -> Self {
        self.allowed = Some(methods);
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} ({})", self.kind, self.public, self.detail)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_enough_to_search_a_log_by() {
        let mut seen = std::collections::HashSet::new();
        for kind in Kind::ALL {
            let shared = matches!(kind, Kind::VendorUnknownModel);
            assert!(shared || seen.insert(kind.name()), "{kind:?} reuses {}", kind.name());
        }
    }

    #[test]
    fn what_a_vendor_said_of_a_request_takes_the_place_of_our_words() {
        let mut failure = Failure::new(Kind::VendorRefused, "no");
        assert_eq!((failure.status(), failure.openai().1), (400, "upstream_invalid_request"));
        failure.passed = Passed { status: Some(422), code: Some("bad_tools".into()), error_type: None };
        assert_eq!((failure.status(), failure.openai()), (422, ("invalid_request_error", "bad_tools")));
    }

    #[test]
    fn a_vendors_refusal_of_our_credential_is_never_shown_as_the_callers() {
        assert_eq!(Kind::VendorAuth.row().status, 502);
    }
}
