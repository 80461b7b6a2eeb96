//! What is wrong with a value, as issues with the value itself.

use keywheel_core::issues::{Issue, IssueCode};
use serde_json::Value;

use super::Read;

/// One issue with the value itself.
pub(super) fn refusal(code: IssueCode, message: impl Into<String>) -> Vec<Issue> {
    vec![Issue {
        code,
        path: Vec::new(),
        message: message.into(),
    }]
}

pub(super) fn too_low(least: i64) -> Vec<Issue> {
    refusal(
        IssueCode::low(least),
        format!("Number must be greater than or equal to {least}"),
    )
}

pub(super) fn too_high(most: i64) -> Vec<Issue> {
    refusal(
        IssueCode::high(most),
        format!("Number must be less than or equal to {most}"),
    )
}

pub(super) fn too_few(items_min: usize) -> Vec<Issue> {
    let minimum = i64::try_from(items_min).unwrap_or(i64::MAX);
    let code = IssueCode::TooSmall {
        minimum,
        r#type: "array",
        inclusive: true,
        exact: false,
    };
    refusal(
        code,
        format!("Array must contain at least {items_min} element(s)"),
    )
}

pub(super) fn too_many(items_max: usize) -> Vec<Issue> {
    let maximum = i64::try_from(items_max).unwrap_or(i64::MAX);
    let code = IssueCode::TooBig {
        maximum,
        r#type: "array",
        inclusive: true,
        exact: false,
    };
    refusal(code, format!("Array must contain at most {items_max} element(s)"))
}

pub(super) fn wrong_type(expected: &'static str, value: &Value) -> Issue {
    let received = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("Expected {expected}, received {received}");
    Issue {
        code: IssueCode::InvalidType { expected, received },
        path: Vec::new(),
        message,
    }
}

pub(super) fn check_length(text: &str, least: i64, most: i64) -> Read<()> {
    let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if chars < least {
        return Err(refusal(
            IssueCode::short(least),
            format!("String must contain at least {least} character(s)"),
        ));
    }
    if chars > most {
        return Err(refusal(
            IssueCode::long(most),
            format!("String must contain at most {most} character(s)"),
        ));
    }
    Ok(())
}
