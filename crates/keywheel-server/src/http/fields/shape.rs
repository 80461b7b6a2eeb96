//! The form of the texts that types of the core are parsed from. Spaces around them are trimmed.

use keywheel_core::aws::{AccessKeyId, IAM_USER_NAME_CHARS_MAX, IamUserName, Region};
use keywheel_core::names::{
    FOLDER_DEPTH_MAX, FOLDER_NAME_CHARS_MAX, FolderName, SECRET_NAME_CHARS_MAX, SLUG_CHARS_MAX, SecretName,
    SecretPath, Slug, Title,
};
use keywheel_core::webhooks::{PATTERN_CHARS, PathGlob};
use serde_json::{Value, json};

/// The characters of a folder's name.
const FOLDER_CHARS: &str = "[A-Za-z0-9_-]";

/// A type that is parsed from a text of a certain form.
pub trait Shape {
    /// The form as a JSON Schema.
    fn shape() -> Value;
}

fn text(chars_max: usize, pattern: &str) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": chars_max, "pattern": pattern})
}

impl Shape for Slug {
    fn shape() -> Value {
        text(SLUG_CHARS_MAX, r"^\s*[a-z0-9]+(-[a-z0-9]+)*\s*$")
    }
}

impl Shape for SecretName {
    fn shape() -> Value {
        text(SECRET_NAME_CHARS_MAX, r"^[^:/\x00]*[^:/\s\x00][^:/\x00]*$")
    }
}

impl Shape for FolderName {
    fn shape() -> Value {
        text(FOLDER_NAME_CHARS_MAX, r"^\s*[A-Za-z0-9_-]+\s*$")
    }
}

/// A path that is more than blank. For a client that leaves it out, the root is meant.
pub fn some_path() -> Value {
    path(FOLDER_CHARS, false)
}

fn path(chars: &str, may_be_blank: bool) -> Value {
    let folder = format!("{chars}{{1,{FOLDER_NAME_CHARS_MAX}}}");
    let folders = format!("/*{folder}(/+{folder}){{0,{}}}/*", FOLDER_DEPTH_MAX - 1);
    let blank = if may_be_blank { "?" } else { "" };
    json!({"type": "string", "pattern": format!(r"^\s*(/+|{folders}){blank}\s*$")})
}

impl Shape for SecretPath {
    fn shape() -> Value {
        path(FOLDER_CHARS, true)
    }
}

impl Shape for PathGlob {
    fn shape() -> Value {
        path(PATTERN_CHARS, true)
    }
}

impl Shape for Title {
    fn shape() -> Value {
        text(SLUG_CHARS_MAX, super::field::SOME_TEXT)
    }
}

impl Shape for IamUserName {
    fn shape() -> Value {
        text(IAM_USER_NAME_CHARS_MAX, r"^\s*[A-Za-z0-9_+=,.@-]+\s*$")
    }
}

impl Shape for AccessKeyId {
    fn shape() -> Value {
        json!({"type": "string", "pattern": r"^\s*[A-Za-z0-9_]{16,128}\s*$"})
    }
}

impl Shape for Region {
    fn shape() -> Value {
        json!({"type": "string", "pattern": r"^\s*[a-z]{2,12}(-[a-z]{2,12}){1,2}-[1-9]\s*$"})
    }
}
