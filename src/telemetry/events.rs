//! Everything in the log that is no request: which events are let through, and
//! how one looks as JSON.

use super::redact::redact;
use serde_json::Value;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What the targets of libraries begin with that see whole requests, keys
/// included, or talk much.
const LIBRARIES: &[&str] = &["pingora", "h2", "rustls", "hyper", "sled"];
/// What a library may say at most. Below this level Pingora prints the headers
/// of callers, and with them their keys.
const MOST_OF_LIBRARIES: LevelFilter = LevelFilter::INFO;

/// The operator's filter. What it does not say of a library is "warn".
///
/// # Errors
/// Names the directive that is wrong.
pub(super) fn filter(level: &str) -> Result<EnvFilter, String> {
    let wrong = |error| format!("log level {level:?}: {error}");
    let wanted = EnvFilter::try_new(level).map_err(wrong)?;
    let most = wanted.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let quiet = most.min(LevelFilter::WARN);
    // Of two directives for one target the last holds.
    let mut directives: Vec<String> = LIBRARIES.iter().map(|name| format!("{name}={quiet}")).collect();
    directives.push(wanted.to_string());
    EnvFilter::try_new(directives.join(",")).map_err(wrong)
}

/// Whatever the filter says, a library does not say more than this.
pub(super) fn is_allowed(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= MOST_OF_LIBRARIES || !is_library(metadata.target())
}

fn is_library(target: &str) -> bool {
    LIBRARIES.iter().any(|name| target.starts_with(name))
}

/// Writes an event as one JSON object: `timestamp`, `level`, its fields, `target`.
/// Where in the source it came from is left out: those are paths of the machine
/// that built the hub.
pub(super) struct JsonEvents;

impl<S, N> FormatEvent<S, N> for JsonEvents
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let time = jiff::Timestamp::now();
        write!(out, "{{\"timestamp\":\"{time:.6}\",\"level\":\"{}\"", metadata.level())?;
        let mut fields = Fields { text: String::new(), log_target: None };
        event.record(&mut fields);
        let target = fields.log_target.as_deref().unwrap_or(metadata.target());
        writeln!(out, "{},\"target\":{}}}", fields.text, Value::from(target))
    }
}

/// The fields of one event, as members of an object.
struct Fields {
    text: String,
    /// Where an event really came from that came through the `log` crate.
    log_target: Option<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        // Writing to a string does not fail.
        let _ = write!(self.text, ",{}:{}", Value::from(field.name()), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.log_target = Some(value.to_owned()),
            name if name.starts_with("log.") => {}
            _ => self.add(field, redact(value).as_ref()),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !field.name().starts_with("log.") {
            self.add(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that these events make under a filter.
    fn said(level: &str, events: impl FnOnce()) -> Vec<Value> {
        let (page, filter) = (Page::default(), filter(level).unwrap());
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .event_format(JsonEvents)
            .finish()
            .with(tracing_subscriber::filter::filter_fn(is_allowed));
        tracing::subscriber::with_default(subscriber, events);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn everybody() {
        tracing::trace!(target: "pingora_core::protocols", "header x-api-key: secret");
        tracing::debug!(target: "h2::codec", "frame");
        tracing::info!(target: "pingora_core::server", "grace period starts");
        tracing::warn!(target: "sled::pagecache", "slow");
        tracing::debug!(target: "aigne_hub::server", "ours");
    }

    fn targets(level: &str) -> Vec<String> {
        said(level, everybody).iter().map(|line| line["target"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn libraries_never_say_what_may_hold_a_key() {
        assert_eq!(targets("info"), ["sled::pagecache"]);
        assert_eq!(targets("trace"), ["sled::pagecache", "aigne_hub::server"]);
        assert_eq!(
            targets("trace,pingora=trace,pingora_core::protocols=trace,h2=debug"),
            ["pingora_core::server", "sled::pagecache", "aigne_hub::server"]
        );
        assert_eq!(targets("error"), Vec::<String>::new());
        assert_eq!(targets("off"), Vec::<String>::new());
    }

    #[test]
    fn an_event_is_one_object_without_the_place_in_the_source() {
        let lines = said("info", || {
            tracing::warn!(
                count = 3,
                good = true,
                error = %"sk-canary0123456789 \"quoted\"\n",
                log.target = "other::place",
                log.file = "/somewhere/src/lib.rs",
                log.line = 7_u64,
                "what happened"
            );
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let names: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(names, ["count", "error", "good", "level", "message", "target", "timestamp"]);
        assert_eq!((&line["message"], &line["count"]), (&"what happened".into(), &3.into()));
        assert_eq!((&line["target"], &line["level"]), (&"other::place".into(), &"WARN".into()));
        let error = line["error"].as_str().unwrap();
        assert!(!error.contains("canary") && error.contains("\"quoted\""), "{error}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
