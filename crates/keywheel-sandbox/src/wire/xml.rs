//! Answers as the XML of the query protocol.

use std::fmt::Write;

use crate::clock::Moment;
use crate::model::{Answer, Paged, UserView};

const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The namespace of a service's answers.
pub(super) fn namespace(service: &str) -> &'static str {
    if service == "sts" {
        STS_NAMESPACE
    } else {
        IAM_NAMESPACE
    }
}

/// The whole body of a good answer.
pub(super) fn answer(service: &str, action: &str, answer: &Answer, request_id: &str) -> String {
    let namespace = namespace(service);
    let mut xml = Xml::default();
    let result = |xml: &mut Xml| {
        if *answer != Answer::Done {
            xml.nest(&format!("{action}Result"), |xml| fill(xml, answer));
        }
        xml.nest("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    };
    xml.open_with_namespace(&format!("{action}Response"), namespace, result);
    xml.0
}

fn fill(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Identity(identity) => {
            xml.text("Arn", &identity.arn);
            xml.text("UserId", &identity.user_id);
            xml.text("Account", &identity.account);
        }
        Answer::Session {
            session,
            arn,
            role_id,
        } => {
            xml.nest("AssumedRoleUser", |xml| {
                let name = arn.rsplit('/').next().unwrap_or_default();
                xml.text("AssumedRoleId", &format!("{role_id}:{name}"));
                xml.text("Arn", arn);
            });
            xml.nest("Credentials", |xml| {
                xml.text("AccessKeyId", &session.access_key_id);
                xml.text("SecretAccessKey", session.secret_access_key.expose());
                xml.text("SessionToken", session.session_token.expose());
                xml.date("Expiration", session.expires_at);
            });
        }
        Answer::User(view) => xml.nest("User", |xml| user(xml, view)),
        Answer::Users(page) => list(xml, "Users", page, user),
        Answer::NewKey(key) => xml.nest("AccessKey", |xml| {
            xml.text("UserName", &key.user_name);
            xml.text("AccessKeyId", &key.access_key_id);
            xml.text("Status", key.status.as_str());
            xml.text("SecretAccessKey", key.secret_access_key.expose());
            xml.date("CreateDate", key.create_date);
        }),
        Answer::Keys { user_name, page } => {
            xml.text("UserName", user_name);
            list(xml, "AccessKeyMetadata", page, |xml, key| {
                xml.text("UserName", &key.user_name);
                xml.text("AccessKeyId", &key.access_key_id);
                xml.text("Status", key.status.as_str());
                xml.date("CreateDate", key.create_date);
            });
        }
        Answer::LastUsed { user_name, used } => {
            xml.text("UserName", user_name);
            xml.nest("AccessKeyLastUsed", |xml| {
                if let Some(used) = used {
                    xml.date("LastUsedDate", used.at);
                }
                let (service, region) = used
                    .as_ref()
                    .map_or(("N/A", "N/A"), |used| (&used.service, &used.region));
                xml.text("ServiceName", service);
                xml.text("Region", region);
            });
        }
        Answer::Done => {}
    }
}

fn user(xml: &mut Xml, view: &UserView) {
    xml.text("Path", &view.path);
    xml.text("UserName", &view.user_name);
    xml.text("UserId", &view.user_id);
    xml.text("Arn", &view.arn);
    xml.date("CreateDate", view.create_date);
}

fn list<T>(xml: &mut Xml, name: &str, page: &Paged<T>, entry: impl Fn(&mut Xml, &T)) {
    xml.nest(name, |xml| {
        for item in &page.items {
            xml.nest("member", |xml| entry(xml, item));
        }
    });
    xml.text(
        "IsTruncated",
        if page.marker.is_some() { "true" } else { "false" },
    );
    if let Some(marker) = &page.marker {
        xml.text("Marker", marker);
    }
}

/// A document in the making.
#[derive(Default)]
pub(super) struct Xml(pub(super) String);

impl Xml {
    pub(super) fn open_with_namespace(
        &mut self,
        name: &str,
        namespace: &str,
        content: impl FnOnce(&mut Self),
    ) {
        let _ = write!(self.0, "<{name} xmlns=\"{namespace}\">");
        content(self);
        let _ = write!(self.0, "</{name}>");
    }

    pub(super) fn nest(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        let _ = write!(self.0, "<{name}>");
        content(self);
        let _ = write!(self.0, "</{name}>");
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.nest(name, |xml| {
            for c in value.chars() {
                match c {
                    '<' => xml.0.push_str("&lt;"),
                    '>' => xml.0.push_str("&gt;"),
                    '&' => xml.0.push_str("&amp;"),
                    // XML 1.0 has no way to write other control characters.
                    c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => xml.0.push('\u{fffd}'),
                    c => xml.0.push(c),
                }
            }
        });
    }

    fn date(&mut self, name: &str, at: Moment) {
        self.text(name, &at.iso());
    }
}
