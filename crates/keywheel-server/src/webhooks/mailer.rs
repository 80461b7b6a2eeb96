//! Mails, through the SMTP server of the settings. That server is the operator's word and may be anywhere; only the
//! addresses are those of who made the webhook.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use keywheel_core::clock::Moment;
use keywheel_core::webhooks::MailTo;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use super::sender::{ATTEMPT_TIMEOUT, NotTold};
use super::words::one_line;
use crate::config::smtp::{Password, SmtpSecurity, SmtpSettings};

/// A mail as people read it.
pub struct Mail {
    /// What names it: the same in each attempt.
    pub id: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// When it is sent.
    pub at: Moment,
}

/// The domains that a mail to these addresses goes to, each once.
pub fn domains(mail_to: &str) -> BTreeSet<String> {
    let addresses = MailTo::parse(mail_to).ok();
    let addresses = addresses.iter().flat_map(MailTo::addresses);
    let parts = addresses.filter_map(|address| address.rsplit_once('@'));
    parts.map(|(_, domain)| domain.to_owned()).collect()
}

/// Sends mails.
pub struct Mailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// A mailer for these settings. Nothing is connected to yet.
    pub fn new(settings: &SmtpSettings) -> anyhow::Result<Self> {
        let tls = TlsParameters::new(settings.host.clone()).context("TLS for smtp_url cannot be set up")?;
        let tls = match settings.security {
            SmtpSecurity::Tls => Tls::Wrapper(tls),
            SmtpSecurity::StartTls => Tls::Required(tls),
            SmtpSecurity::PlainAllowed => Tls::Opportunistic(tls),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
            .port(settings.port)
            .tls(tls)
            .timeout(Some(ATTEMPT_TIMEOUT));
        if let Some((user, password)) = &settings.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), read(password)?));
        }
        Ok(Self {
            from: settings.from.clone(),
            transport: transport.build(),
        })
    }

    /// Sends a mail to all of the addresses, or to none.
    pub async fn send(&self, to: &MailTo, mail: Mail) -> Result<(), NotTold> {
        let message = self.compose(to, mail).ok_or(NotTold::MailUnwritten)?;
        let sending = tokio::time::timeout(ATTEMPT_TIMEOUT, self.transport.send(message));
        match sending.await {
            Err(_) => Err(NotTold::MailTimeout),
            Ok(Err(fault)) => Err(reason(&fault)),
            Ok(Ok(_)) => Ok(()),
        }
    }

    fn compose(&self, to: &MailTo, mail: Mail) -> Option<Message> {
        let domain = self.from.email.domain();
        let since_1970 = u64::try_from(mail.at.as_millis()).unwrap_or_default();
        let builder = Message::builder()
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(since_1970))
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .from(self.from.clone())
            .subject(one_line(&mail.subject))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        let add = |builder: MessageBuilder, address: &String| {
            let address: Address = address.parse().ok()?;
            Some(builder.to(Mailbox::new(None, address)))
        };
        let builder = to.addresses().iter().try_fold(builder, add)?;
        builder.body(mail.text).ok()
    }
}

/// Says that no person wrote it, so that nobody's absence is answered to it (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn read(password: &Password) -> anyhow::Result<String> {
    match password {
        Password::Given(password) => Ok(password.expose_secret().to_owned()),
        Password::File(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("smtp_password_file {} cannot be read", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

fn reason(fault: &lettre::transport::smtp::Error) -> NotTold {
    tracing::debug!(%fault, cause = ?fault, "a mail was not sent");
    match (fault.status(), tls_fault(fault)) {
        (Some(code), _) => NotTold::MailRefused(code.into()),
        (None, Some(rustls::Error::InvalidCertificate(_))) => NotTold::MailDistrusted,
        (None, Some(_)) => NotTold::MailInsecure,
        (None, None) if fault.is_timeout() => NotTold::MailTimeout,
        (None, None) if fault.is_tls() || fault.is_client() => NotTold::MailInsecure,
        (None, None) => NotTold::MailUnreachable,
    }
}

/// Why TLS could not begin. For lettre that is a connection that failed, like any other.
fn tls_fault<'a>(fault: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = fault.downcast_ref() {
        return Some(found);
    }
    // What an error of IO holds is not its source, but has one.
    let held = fault.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    tls_fault(match held {
        Some(held) => held,
        None => fault.source()?,
    })
}
