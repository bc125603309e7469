//! A notice by e-mail.

use super::delivery::Delivery;
use super::outbox::Verdict;
use super::rfc3339;
use crate::config::{MailSecurity, MailSettings};
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

/// For each step of the conversation with the mail server.
const PATIENCE: Duration = Duration::from_secs(15);

/// Hands a delivery to the mail server.
///
/// # Errors
/// What went wrong, and whether it may go better later.
pub(super) async fn send(
    settings: Option<&MailSettings>,
    to: &[String],
    delivery: &Delivery,
) -> Result<(), (Verdict, String)> {
    let later = |text: String| (Verdict::Later(None), text);
    let settings = settings.ok_or_else(|| later("the configuration has no [mail]".to_owned()))?;
    let message = message(settings, to, delivery).map_err(|error| (Verdict::Never, error))?;
    let transport = transport(settings).map_err(later)?;
    match transport.send(message).await {
        Ok(_) => Ok(()),
        // What the server refuses for good it refuses each time.
        Err(error) if error.is_permanent() => Err((Verdict::Never, error.to_string())),
        Err(error) => Err(later(error.to_string())),
    }
}

fn transport(settings: &MailSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = || TlsParameters::new(settings.host.clone()).map_err(|error| error.to_string());
    let tls = match settings.security {
        MailSecurity::Tls => Tls::Wrapper(tls()?),
        MailSecurity::StartTls => Tls::Required(tls()?),
        MailSecurity::None => Tls::None,
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host);
    let builder = builder.port(settings.port).tls(tls).timeout(Some(PATIENCE));
    let builder = match &settings.login {
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()))
        }
        None => builder,
    };
    Ok(builder.build())
}

fn message(settings: &MailSettings, to: &[String], delivery: &Delivery) -> Result<Message, String> {
    let notice = &delivery.notice;
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("{text:?}: {error}"));
    let from = mailbox(&settings.from)?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder()
        .from(from)
        // The same at every attempt, so that mail readers show it once.
        .message_id(Some(format!("<{}@{domain}>", delivery.id)))
        .subject(format!("AIGNE Hub: {} ({})", notice.kind, notice.subject))
        .header(ContentType::TEXT_PLAIN);
    for one in to {
        builder = builder.to(mailbox(one)?);
    }
    builder.body(text(delivery)).map_err(|error| error.to_string())
}

/// What it says, for people.
fn text(delivery: &Delivery) -> String {
    let notice = &delivery.notice;
    let mut text = format!("{}\n\n", notice.kind.row().what);
    // Writing to a `String` does not fail.
    let _ = writeln!(text, "Subject: {}", notice.subject);
    if let Some(tenant) = &notice.tenant {
        let _ = writeln!(text, "Tenant: {tenant}");
    }
    let _ = writeln!(text, "At: {}", rfc3339(notice.at));
    for (name, value) in notice.data.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(value) => drop(writeln!(text, "{name}: {value}")),
            other => drop(writeln!(text, "{name}: {other}")),
        }
    }
    let _ = write!(text, "\nNotice {}\n", notice.id);
    text
}

#[cfg(test)]
mod tests {
    use super::super::delivery::Notice;
    use super::*;
    use crate::types::{NoticeKind, Wall};
    use serde_json::json;

    fn settings(from: &str) -> MailSettings {
        let (host, from) = ("localhost".to_owned(), from.to_owned());
        MailSettings { host, port: 1, security: MailSecurity::None, login: None, from }
    }

    fn delivery() -> Delivery {
        let notice = Notice::new(NoticeKind::Test, None, "hub", json!({ "by": "Ann\r\nBcc: x@y" }), Wall(0));
        Delivery::new(notice, "hook_1".into(), Wall(0))
    }

    #[test]
    fn a_message_says_what_happened_and_has_the_same_id_each_time() {
        let delivery = delivery();
        let made = || message(&settings("Hub <hub@example.com>"), &["ann@example.com".into()], &delivery);
        let text = String::from_utf8(made().unwrap().formatted()).unwrap();
        assert!(text.contains(&format!("Message-ID: <{}@example.com>", delivery.id)), "{text}");
        assert!(text.contains("To: ann@example.com\r\n") && text.contains("Subject: AIGNE Hub: test (hub)"));
        assert!(
            !text.split("\r\n\r\n").next().unwrap().contains("Bcc"),
            "no header comes out of data: {text}"
        );
    }

    #[test]
    fn what_is_no_address_is_never_tried_again() {
        assert!(message(&settings("hub@example.com"), &["nobody".into()], &delivery()).is_err());
        assert!(message(&settings("nobody"), &["ann@example.com".into()], &delivery()).is_err());
    }

    #[tokio::test]
    async fn without_a_server_it_waits() {
        let error = send(None, &["ann@example.com".into()], &delivery()).await.unwrap_err();
        assert_eq!(error.0, Verdict::Later(None));
    }
}
