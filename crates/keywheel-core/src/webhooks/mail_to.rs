//! Whom a webhook of the kind `email` writes to: `mailto:` and addresses.

use std::fmt;

use crate::issues::IssueCode;
use crate::names::NameFault;

/// Most addresses of one webhook. More people are better reached by one address that their mail server spreads.
const ADDRESSES_MAX: usize = 10;
/// Longest address in characters (RFC 5321, section 4.5.3.1.3, without its brackets).
const ADDRESS_CHARS_MAX: usize = 254;
/// Longest part before the `@` (RFC 5321, section 4.5.3.1.1).
const LOCAL_CHARS_MAX: usize = 64;
/// Longest label of a name in DNS.
const LABEL_CHARS_MAX: usize = 63;
/// What an atom may hold besides letters and digits (RFC 5322, section 3.2.3). `%` would be an escape in a URL.
const ATOM_MARKS: &str = "!#$&'*+-/=^_`{|}~";
const SCHEME: &str = "mailto:";
/// Said of everything that is not read.
const EXPECTED: &str = "Expected mailto: and one to ten e-mail addresses with commas between them, such as mailto:ops@company.example";

/// One to ten addresses, each once, in the order given.
#[derive(Clone, PartialEq, Eq)]
pub struct MailTo(Vec<String>);

impl MailTo {
    /// Reads `mailto:ADDRESS[,ADDRESS…]`. Headers behind a `?`, quoted local parts and literal hosts are refused.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        let is_scheme = |start: &str| start.eq_ignore_ascii_case(SCHEME);
        let rest = text.get(..SCHEME.len()).filter(|start| is_scheme(start));
        let rest = rest.map(|_| &text[SCHEME.len()..]).ok_or_else(fault)?;
        let mut addresses: Vec<String> = Vec::new();
        for part in rest.split(',') {
            let address = address(part.trim()).ok_or_else(fault)?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.len() > ADDRESSES_MAX {
            return Err(fault());
        }
        Ok(Self(addresses))
    }

    /// The addresses.
    pub fn addresses(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for MailTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0.join(","))
    }
}

/// Addresses are of people: no log has them by accident.
impl fmt::Debug for MailTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailTo({} addresses)", self.0.len())
    }
}

fn fault() -> NameFault {
    NameFault::new(IssueCode::InvalidString { validation: "email" }, EXPECTED)
}

/// An address with its domain in small letters.
fn address(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let is_atom = |atom: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || ATOM_MARKS.contains(c);
        !atom.is_empty() && atom.chars().all(fits)
    };
    let is_label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=LABEL_CHARS_MAX).contains(&label.len())
            && label.chars().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = text.len() <= ADDRESS_CHARS_MAX
        && local.len() <= LOCAL_CHARS_MAX
        && local.split('.').all(is_atom)
        && domain.split('.').all(is_label);
    fits.then(|| format!("{local}@{}", domain.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_one_form_each_once() {
        for (given, kept) in [
            ("mailto:ops@company.example", "mailto:ops@company.example"),
            (
                " MailTo:Ops@Company.Example , a.b+c@x.example,ops@company.example ",
                "mailto:Ops@company.example,a.b+c@x.example,ops@company.example",
            ),
            ("mailto:a@x.example,a@X.example", "mailto:a@x.example"),
            ("mailto:root@localhost", "mailto:root@localhost"),
        ] {
            let read = MailTo::parse(given).unwrap();
            assert_eq!(read.to_string(), kept);
            assert_eq!(MailTo::parse(kept).unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_list_of_plain_addresses_is_refused() {
        let long = format!("mailto:{}@x.example", "a".repeat(65));
        let many: Vec<String> = (0..=ADDRESSES_MAX).map(|n| format!("a{n}@x.example")).collect();
        for wrong in [
            "",
            "ops@company.example",
            "https://company.example",
            "mailto:",
            "mailto:ops",
            "mailto:ops@",
            "mailto:@company.example",
            "mailto:a@b@c.example,",
            "mailto:a b@c.example",
            "mailto:a..b@c.example",
            "mailto:a@-c.example",
            "mailto:a@c..example",
            "mailto:a@[127.0.0.1]",
            "mailto:\"a\"@c.example",
            "mailto:a%0d%0aBcc:b@c.example",
            "mailto:a\r\nBcc: b@c.example",
            "mailto:a@c.example?subject=x",
            "mailto:ü@c.example",
            long.as_str(),
            &format!("mailto:{}", many.join(",")),
        ] {
            assert_eq!(MailTo::parse(wrong).unwrap_err().message, EXPECTED, "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_address() {
        let read = MailTo::parse("mailto:ops@company.example").unwrap();
        assert_eq!(format!("{read:?}"), "MailTo(1 addresses)");
    }
}
