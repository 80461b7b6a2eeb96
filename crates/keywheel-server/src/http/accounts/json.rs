//! Bodies and answers of accounts.

use std::fmt::Write;
use std::ops::RangeInclusive;

use keywheel_core::ids::{AccountId, IdentityId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::{NameFault, Slug, Title};
use keywheel_store::accounts::ListedAccount;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::actions::accounts::Invited;
use crate::actions::bootstrap::CreateFirst;
use crate::actions::own_account::NewTotp;
use crate::auth::access::OrganizationRole;
use crate::auth::links::Link;
use crate::auth::password::{NEW_PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX};
use crate::http::answer::{PlainText, Time};
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Read};

/// Longest e-mail address, in characters (RFC 5321, section 4.5.3.1).
const EMAIL_CHARS_MAX: usize = 254;
/// Longest token of a link in characters: ours have some fifty.
const TOKEN_CHARS_MAX: i64 = 256;
/// Longest one-time code as people write it: six digits, with a gap somewhere.
const CODE_CHARS_MAX: i64 = 16;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
struct AccountJson {
    #[schema(value_type = uuid::Uuid)]
    id: AccountId,
    email: String,
    #[schema(value_type = Option<uuid::Uuid>)]
    identity_id: Option<IdentityId>,
    #[schema(value_type = Option<String>)]
    role: Option<Slug>,
    super_admin: bool,
    totp_enabled: bool,
    has_password: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<ListedAccount> for AccountJson {
    fn from(ListedAccount { account, role, .. }: ListedAccount) -> Self {
        Self {
            id: account.id,
            identity_id: account.identity,
            role,
            super_admin: account.super_admin,
            totp_enabled: account.confirmed_totp().is_some(),
            has_password: account.password_hash.is_some(),
            created_at: Time(account.created_at),
            email: account.email,
        }
    }
}

/// `{accounts}`
#[derive(Serialize, ToSchema)]
#[schema(as = Accounts)]
pub(super) struct AccountsJson {
    accounts: Vec<AccountJson>,
}

impl From<Vec<ListedAccount>> for AccountsJson {
    fn from(listed: Vec<ListedAccount>) -> Self {
        Self {
            accounts: listed.into_iter().map(AccountJson::from).collect(),
        }
    }
}

/// `{account}`
#[derive(Serialize, ToSchema)]
pub(super) struct InAccount {
    account: AccountJson,
}

impl From<ListedAccount> for InAccount {
    fn from(listed: ListedAccount) -> Self {
        Self {
            account: listed.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountLink)]
struct LinkJson {
    #[schema(value_type = String)]
    token: PlainText,
    #[schema(value_type = String)]
    path: PlainText,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

impl From<Link> for LinkJson {
    fn from(link: Link) -> Self {
        Self {
            token: (&link.token).into(),
            path: (&link.path()).into(),
            expires_at: Time(link.expires_at),
        }
    }
}

/// `{link}`
#[derive(Serialize, ToSchema)]
pub(super) struct InLink {
    link: LinkJson,
}

impl From<Link> for InLink {
    fn from(link: Link) -> Self {
        Self { link: link.into() }
    }
}

/// `{account, link}`
#[derive(Serialize, ToSchema)]
#[schema(as = InvitedAccount)]
pub(super) struct InvitedJson {
    account: AccountJson,
    link: LinkJson,
}

impl From<Invited> for InvitedJson {
    fn from(invited: Invited) -> Self {
        Self {
            account: invited.listed.into(),
            link: invited.link.into(),
        }
    }
}

/// A secret of one-time codes.
#[derive(Serialize, ToSchema)]
#[schema(as = TotpSecret)]
pub(super) struct TotpJson {
    #[schema(value_type = String)]
    secret: PlainText,
    #[schema(value_type = String)]
    uri: PlainText,
}

impl From<NewTotp> for TotpJson {
    fn from(new: NewTotp) -> Self {
        Self {
            secret: (&new.secret).into(),
            uri: (&new.uri).into(),
        }
    }
}

/// The token of the printed link, and what is to be made.
pub(super) fn set_up(mut fields: Fields<'_>) -> Result<(SecretString, CreateFirst), ApiError> {
    let token = fields.required("setupToken", token);
    let email = fields.required("email", email);
    let password = fields.required("password", new_password);
    let organization = fields.required("organization", |field| {
        field.parsed(|text| Title::parse("organization", text))
    });
    fields.finish(|| {
        let wanted = CreateFirst {
            email: email?,
            password: password?,
            organization: organization?,
        };
        Ok((token?, wanted))
    })
}

/// A one-time link and a new password.
pub(super) fn join(mut fields: Fields<'_>) -> Result<(SecretString, SecretString), ApiError> {
    let token = fields.required("token", token);
    let password = fields.required("password", new_password);
    fields.finish(|| Ok((token?, password?)))
}

/// A person to be invited, and their role.
pub(super) fn create(mut fields: Fields<'_>) -> Result<(String, OrganizationRole), ApiError> {
    let email = fields.required("email", email);
    let role = fields.required("role", |field| field.one_of(&OrganizationRole::WORDS));
    fields.finish(|| Ok((email?, role?)))
}

/// The password that is and the one to be.
pub(super) fn change_password(mut fields: Fields<'_>) -> Result<(SecretString, SecretString), ApiError> {
    let old = fields.required("password", old_password);
    let new = fields.required("newPassword", new_password);
    fields.finish(|| Ok((old?, new?)))
}

/// A one-time code.
pub(super) fn code(mut fields: Fields<'_>) -> Result<String, ApiError> {
    let code = fields.required("code", one_time_code);
    fields.finish(|| code)
}

/// The own password.
pub(super) fn password(mut fields: Fields<'_>) -> Result<SecretString, ApiError> {
    let password = fields.required("password", old_password);
    fields.finish(|| password)
}

/// Six digits, however they are grouped.
pub(in crate::http) fn one_time_code(field: Field<'_>) -> Read<String> {
    field.text_within(1..=CODE_CHARS_MAX)
}

/// A password that somebody has. It may be from before the rule of today.
pub(in crate::http) fn old_password(field: Field<'_>) -> Read<SecretString> {
    field.text_within(1..=PASSWORD_CHARS_MAX).map(SecretString::from)
}

fn new_password(field: Field<'_>) -> Read<SecretString> {
    let text = field.text_within(NEW_PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX);
    text.map(SecretString::from)
}

fn token(field: Field<'_>) -> Read<SecretString> {
    field.text_within(1..=TOKEN_CHARS_MAX).map(SecretString::from)
}

/// Something on both sides of one `@`, without spaces and what nobody sees: whether mail arrives there, only mail can tell.
pub(in crate::http) fn email(field: Field<'_>) -> Read<String> {
    let shape = || json!({"type": "string", "maxLength": EMAIL_CHARS_MAX, "pattern": email_pattern()});
    field.parsed_as(shape, |text| {
        let text = text.trim();
        let good = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(is_unseen)
        });
        if good && text.chars().count() <= EMAIL_CHARS_MAX {
            Ok(text.to_owned())
        } else {
            let code = IssueCode::InvalidString { validation: "email" };
            Err(NameFault::new(code, "Invalid email"))
        }
    })
}

/// Characters that control or format (Unicode categories Cc and Cf): with them two addresses look the same, or one like
/// another.
const UNSEEN: [RangeInclusive<char>; 21] = [
    '\u{0}'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{ad}'..='\u{ad}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e007f}',
];

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || UNSEEN.iter().any(|range| range.contains(&c))
}

/// [`email`] for the API document. The dialects of patterns that readers of such documents use agree on how to write the
/// characters of Unicode's first plane only; the others are left out.
fn email_pattern() -> String {
    let mut part = String::from(r"[^\s@");
    for range in &UNSEEN {
        let (first, last) = (u32::from(*range.start()), u32::from(*range.end()));
        if last <= 0xffff {
            let _ = write!(part, r"\u{first:04x}-\u{last:04x}");
        }
    }
    part.push_str("]+");
    format!("^ *{part}@{part} *$")
}
