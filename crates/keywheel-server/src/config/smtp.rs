//! The mail server of the settings.

use std::path::PathBuf;

use axum::http::Uri;
use lettre::message::Mailbox;
use secrecy::SecretString;

use super::reader::{Read, Reader};

/// Ports of submission (RFC 8314, section 3): with STARTTLS, and with TLS from the first byte.
const PORTS: (u16, u16) = (587, 465);
const EXPECTED_URL: &str = "smtp://USER:PASSWORD@HOST:PORT with STARTTLS, or smtps:// with TLS from the beginning; special characters as %40";

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// User and password, if it wants them.
    pub credentials: Option<(String, Password)>,
    /// Who mails come from.
    pub from: Mailbox,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said that matters.
    StartTls,
    /// TLS if the server offers it.
    PlainAllowed,
}

/// Where the password for the mail server is.
#[derive(Clone, Debug)]
pub enum Password {
    /// In the setting.
    Given(SecretString),
    /// In a file.
    File(PathBuf),
}

/// Reads the settings; none if there is no mail server.
pub(super) fn read(reader: &mut Reader<'_>) -> Read<Option<SmtpSettings>> {
    let url = reader.optional("smtp_url");
    let from = reader.optional("smtp_from");
    let password_file = reader.optional("smtp_password_file");
    let allow_plain = reader.switch("smtp_allow_plain");
    let Some(url) = url else {
        for (key, given) in [("smtp_from", &from), ("smtp_password_file", &password_file)] {
            if given.is_some() {
                return Err(reader.refuse(key, "nothing here, as smtp_url is not given"));
            }
        }
        return Ok(None);
    };
    let parts = parse(&url, allow_plain?).ok_or_else(|| reader.refuse("smtp_url", EXPECTED_URL));
    let from = from.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let expected = "an address such as keywheel@company.example or Keywheel <keywheel@company.example>";
        reader.refuse("smtp_from", expected)
    });
    let (parts, from) = (parts?, from?);
    let credentials = match (parts.user, parts.password, password_file) {
        (Some(user), Some(password), None) => Some((user, Password::Given(password))),
        (Some(user), None, Some(file)) => Some((user, Password::File(file.into()))),
        (None, None, None) => None,
        (Some(_), None, None) => return Err(reader.refuse("smtp_url", "a password, or smtp_password_file")),
        (None, ..) => return Err(reader.refuse("smtp_url", "a user, as there is a password")),
        (Some(_), Some(_), Some(_)) => {
            let expected = "nothing here, as smtp_url has a password";
            return Err(reader.refuse("smtp_password_file", expected));
        }
    };
    Ok(Some(SmtpSettings {
        host: parts.host,
        port: parts.port,
        security: parts.security,
        credentials,
        from,
    }))
}

struct Parts {
    host: String,
    port: u16,
    security: SmtpSecurity,
    user: Option<String>,
    password: Option<SecretString>,
}

fn parse(url: &str, allow_plain: bool) -> Option<Parts> {
    let url: Uri = url.parse().ok()?;
    let (security, port) = match (url.scheme_str()?, allow_plain) {
        ("smtps", _) => (SmtpSecurity::Tls, PORTS.1),
        ("smtp", false) => (SmtpSecurity::StartTls, PORTS.0),
        ("smtp", true) => (SmtpSecurity::PlainAllowed, PORTS.0),
        _ => return None,
    };
    if !["", "/"].contains(&url.path()) || url.query().is_some() {
        return None;
    }
    let authority = url.authority()?;
    let login = authority.as_str().rsplit_once('@').map(|(login, _)| login);
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        None => (None, None),
        Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
    };
    let given = |text: &String| !text.is_empty();
    Some(Parts {
        host: authority.host().trim_matches(['[', ']']).to_owned(),
        port: match authority.as_str().rsplit('@').next()?.rsplit_once(':') {
            Some((_, digits)) if !digits.ends_with(']') => digits.parse().ok()?,
            _ => port,
        },
        security,
        user: user.filter(given),
        password: password.filter(given).map(SecretString::from),
    })
}

/// A part of a URL without its escapes; none if that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(url: &str) -> Option<(String, u16, SmtpSecurity, String, String)> {
        parse(url, false).map(|parts| {
            let password = parts.password.map(|text| text.expose_secret().to_owned());
            let login = (parts.user.unwrap_or_default(), password.unwrap_or_default());
            (parts.host, parts.port, parts.security, login.0, login.1)
        })
    }

    #[test]
    fn an_address_tells_server_port_protection_and_login() {
        use SmtpSecurity::{PlainAllowed, StartTls, Tls};
        let of = |host: &str, port, security, user: &str, password: &str| {
            Some((
                host.to_owned(),
                port,
                security,
                user.to_owned(),
                password.to_owned(),
            ))
        };
        assert_eq!(
            read("smtp://mail.example"),
            of("mail.example", 587, StartTls, "", "")
        );
        assert_eq!(
            read("smtps://mail.example/"),
            of("mail.example", 465, Tls, "", "")
        );
        let login = of("mail.example", 25, StartTls, "me@company.example", "a:b+c%");
        assert_eq!(
            read("smtp://me%40company.example:a:b+c%25@mail.example:25"),
            login
        );
        assert_eq!(
            read("smtp://user@[::1]:2525"),
            of("::1", 2525, StartTls, "user", "")
        );
        assert_eq!(parse("smtp://localhost", true).unwrap().security, PlainAllowed);
        for wrong in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://mail.example/path",
            "smtp://mail.example?tls=none",
            "smtp://u:%zz@mail.example",
            "smtp://u:%f@mail.example",
            "smtp://mail.example:70000",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
