//! What is wrong with answers. All findings are told together: a change of a role shows in many rows at once.

use serde_json::{Value, json};

use super::request::Names;
use crate::support::Seen;

/// Found so far.
#[derive(Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Panics if there are any.
    #[track_caller]
    pub fn report(&self) {
        let Self(all) = self;
        assert!(all.is_empty(), "{} findings:\n{}", all.len(), all.join("\n"));
    }

    /// Expects exactly this refusal, but for the id of the request.
    pub fn refused(&mut self, seen: &Seen, expected: &Value, story: &str) {
        let (status, body) = told(seen);
        if (&json!(status), &body) != (&expected["statusCode"], expected) {
            self.0
                .push(format!("{story}: {status} {body}, and not {expected}"));
        }
    }

    /// Expects success, or a refusal with this text for want of something to act on.
    pub fn answered(&mut self, seen: &Seen, short: Option<&str>, story: &str) {
        let is_short = |text: &str| seen.status == 400 && told(seen).1["message"].to_string().contains(text);
        if !short.map_or((200..300).contains(&seen.status), is_short) {
            let body = String::from_utf8_lossy(&seen.body);
            self.0.push(format!(
                "{story}: {} {body}, and not {}",
                seen.status,
                short.unwrap_or("success")
            ));
        }
    }

    /// Expects that what is there and what is not are answered alike, up to the ids that the request named.
    pub fn same(
        &mut self,
        (there, named): (&Seen, &Names),
        (not_there, unnamed): (&Seen, &Names),
        status: u16,
        story: &str,
    ) {
        let told = |seen, names: &Names| {
            let (status, body) = told(seen);
            (status, names.blank(&body.to_string()))
        };
        let (there, not_there) = (told(there, named), told(not_there, unnamed));
        if there != not_there || there.0 != status {
            self.0.push(format!(
                "{story} tells another organization {there:?} of what is there and {not_there:?} of what is not, and \
                 not {status} of both"
            ));
        }
    }

    /// Expects that nothing was written.
    pub fn unchanged(&mut self, is_unchanged: bool, story: &str) {
        if !is_unchanged {
            self.0.push(format!("{story}: something was written"));
        }
    }
}

/// Status and body, without the id of the request.
fn told(seen: &Seen) -> (u16, Value) {
    let no_json = |_| String::from_utf8_lossy(&seen.body).into();
    let mut body: Value = serde_json::from_slice(&seen.body).unwrap_or_else(no_json);
    let id = body.as_object_mut().and_then(|body| body.remove("reqId"));
    let has_id = id.is_some_and(|id| id.as_str().is_some_and(|id| id.starts_with("req-")));
    assert!(has_id || seen.status < 400, "a refusal without an id: {body}");
    (seen.status, body)
}

/// The body of a refusal.
pub fn refusal(status: u16, error: &str, message: &str) -> Value {
    json!({"statusCode": status, "error": error, "message": message})
}

/// The body of a refusal for lack of a permission.
pub fn denial(action: &str, subject: &str) -> Value {
    let message = format!("You are not allowed to {action} on {subject}");
    let mut denial = refusal(403, "PermissionDenied", &message);
    denial["details"] =
        json!([{"action": action, "inverted": false, "subject": subject, "conditions": null}]);
    denial
}
