//! `[notices]` and `[mail]`.

use super::Resolver;
use crate::config::at::At;
use crate::config::raw;
use crate::config::{MailSecurity, MailSettings, NoticeSettings};
use std::time::Duration;

/// How long a delivery is tried, unless the file says otherwise.
const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);

impl Resolver<'_> {
    pub(super) fn notices(&mut self, raw: &raw::Notices, mail: Option<&At<raw::Mail>>) -> NoticeSettings {
        NoticeSettings {
            give_up: self.positive(raw.give_up.as_ref(), GIVE_UP),
            allow: self.addresses(&raw.allow),
            mail: mail.and_then(|at| self.mail(at)),
        }
    }

    fn mail(&mut self, at: &At<raw::Mail>) -> Option<MailSettings> {
        let raw = &at.value;
        let (security, port) = match raw.security {
            Some(raw::MailSecurity::Tls) | None => (MailSecurity::Tls, 465),
            Some(raw::MailSecurity::StartTls) => (MailSecurity::StartTls, 587),
            Some(raw::MailSecurity::None) => (MailSecurity::None, 25),
        };
        let password = raw.password.as_ref().and_then(|at| self.secret(&at.span, &at.value));
        let login = match (&raw.user, &raw.password) {
            (Some(user), Some(_)) => password.map(|password| (user.value.clone(), password)),
            (Some(user), None) => {
                self.notes.at(&user.span, "has no password beside it");
                None
            }
            (None, Some(password)) => {
                self.notes.at(&password.span, "has no user beside it");
                None
            }
            (None, None) => None,
        };
        let (host, from) = (raw.host.as_ref()?, raw.from.as_ref()?);
        if host.value.is_empty() || host.value.contains(['/', ':', ' ']) {
            self.notes.at(&host.span, "is the name of a server, without scheme or port");
        }
        if from.value.parse::<lettre::message::Mailbox>().is_err() {
            self.notes.at(&from.span, "is no e-mail address; write it like \"Hub <hub@example.com>\"");
        }
        let port = raw.port.as_ref().map_or(port, |at| at.value);
        Some(MailSettings { host: host.value.clone(), port, security, login, from: from.value.clone() })
    }
}
