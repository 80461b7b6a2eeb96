//! How a command ends: what went wrong, in words for people, and as an exit code for programs.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde_json::Value;

/// What `--help` says of the exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage, or a value that the server does not take
  3  not signed in
  4  not permitted
  5  not found
  6  in conflict with what is there, or refused by a rule
  7  the rotation failed; of a preview, that it would
  8  the server is not reachable";

/// Why a command ended early. The number is the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The reader of standard output went away; nothing is said of it.
    ReaderGone = 0,
    Failed = 1,
    Usage = 2,
    NotSignedIn = 3,
    NotPermitted = 4,
    NotFound = 5,
    Refused = 6,
    RotationFailed = 7,
    Unreachable = 8,
}

/// The end of a command that did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    message: String,
    /// The status, where it is the server's answer.
    pub(crate) status: Option<u16>,
}

/// Said by the contract before the reason why no key could be made, which is what people need.
const OF_AWS: &str =
    "Infisical encountered an issue while generating credentials with the configured inputs: ";

/// What commands and their parts return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        let status = None;
        Self {
            kind,
            message,
            status,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// What a refusal of the server means. Its body has the shape of all errors of the API, or comes from a proxy and
    /// has none.
    pub(crate) fn from_answer(status: u16, body: &Value) -> Self {
        let kind = match status {
            401 => Kind::NotSignedIn,
            403 if body["error"] == "TokenError" => Kind::NotSignedIn,
            403 => Kind::NotPermitted,
            404 => Kind::NotFound,
            400 | 409 | 410 => Kind::Refused,
            422 => Kind::Usage,
            502..=504 => Kind::Unreachable,
            _ => Kind::Failed,
        };
        let message = words(&body["message"]).unwrap_or_else(|| format!("the server answered {status}"));
        let (kind, mut message) = match message.strip_prefix(OF_AWS) {
            Some(reason) => (Kind::RotationFailed, reason.to_owned()),
            None => (kind, message),
        };
        if kind == Kind::NotSignedIn {
            message = format!("{message}; sign in with: keywheel login");
        }
        if let Some(request) = body["reqId"].as_str() {
            message = format!("{message} ({request})");
        }
        let status = Some(status);
        Self {
            kind,
            message,
            status,
        }
    }

    /// The same, where a fault of the server means that AWS or the rotation failed.
    pub(crate) fn of_rotation(mut self) -> Self {
        if self.status == Some(500) {
            self.kind = Kind::RotationFailed;
        }
        self
    }

    /// The same, with what was being done in front.
    pub(crate) fn while_doing(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Whether the server has nothing of the name that was given.
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

/// A message of the API: a text, or a list of issues with paths.
fn words(message: &Value) -> Option<String> {
    if let Some(text) = message.as_str() {
        return Some(text.to_owned());
    }
    let issue = |issue: &Value| {
        let path: Vec<_> = issue["path"]
            .as_array()
            .into_iter()
            .flatten()
            .map(plain)
            .collect();
        let text = issue["message"].as_str().unwrap_or("not accepted");
        format!("{}: {text}", path.join("."))
    };
    let issues: Vec<_> = message.as_array()?.iter().map(issue).collect();
    Some(issues.join("; "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Failure {
    fn from(fault: io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::ReaderGone, ""),
            _ => Self::failed(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_refusal_of_the_api_has_its_exit_code() {
        let codes = [
            (400, Kind::Refused),
            (401, Kind::NotSignedIn),
            (403, Kind::NotPermitted),
            (404, Kind::NotFound),
            (422, Kind::Usage),
            (429, Kind::Failed),
            (500, Kind::Failed),
            (503, Kind::Unreachable),
        ];
        for (status, kind) in codes {
            assert_eq!(Failure::from_answer(status, &Value::Null).kind, kind, "{status}");
        }
        let of_aws = json!({"message": format!("{OF_AWS}AccessDenied")});
        let failure = Failure::from_answer(400, &of_aws);
        assert_eq!(
            (failure.kind, failure.to_string().as_str()),
            (Kind::RotationFailed, "AccessDenied")
        );
        let expired = json!({"error": "TokenError", "message": "Your token has expired."});
        assert_eq!(Failure::from_answer(403, &expired).kind, Kind::NotSignedIn);
    }

    #[test]
    fn a_failed_rotation_is_told_from_a_failed_server() {
        let code = |status| Failure::from_answer(status, &Value::Null).of_rotation().kind;
        assert_eq!(code(500), Kind::RotationFailed);
        assert_eq!(code(503), Kind::Unreachable);
        assert_eq!(code(400), Kind::Refused);
    }

    #[test]
    fn issues_are_told_with_their_paths() {
        let body = json!({"reqId": "req-1", "message": [
            {"path": ["rotateAtUtc", "hours"], "message": "Required"}, {"path": ["tags", 0], "message": "Invalid"}]});
        let failure = Failure::from_answer(422, &body);
        assert_eq!(
            failure.to_string(),
            "rotateAtUtc.hours: Required; tags.0: Invalid (req-1)"
        );
    }
}
