//! Reads which secrets a list is to hold.

use keywheel_core::issues::IssueCode;
use keywheel_core::names::NameFault;
use serde_json::json;

use crate::actions::secrets::{MetadataPair, SecretFilter};
use crate::http::fields::{Field, Fields, Read, Taken};

/// Most tags in a filter: as many as a secret can have.
const TAGS_MAX: usize = 50;
/// Longest slug of a tag, in characters.
const SLUG_CHARS_MAX: usize = 64;
/// Most pairs of metadata in a filter (contract).
const PAIRS_MAX: usize = 10;

/// Reads `tagSlugs` and `metadataFilter`.
pub(super) fn read(fields: &mut Fields<'_>) -> Taken<SecretFilter> {
    let tags = fields.optional("tagSlugs", |field| field.comma_list(TAGS_MAX, slug));
    let metadata = fields.optional("metadataFilter", pairs);
    Ok(SecretFilter {
        tags: tags?.unwrap_or_default(),
        metadata: metadata?.unwrap_or_default(),
    })
}

/// One that no tag can have finds nothing.
fn slug(field: Field<'_>) -> Read<String> {
    let shape = || json!({"type": "string", "pattern": format!(r"^[^,\x00]{{1,{SLUG_CHARS_MAX}}}$")});
    field.parsed_as(shape, |text| match text.chars().count() {
        length if length <= SLUG_CHARS_MAX => Ok(text.to_owned()),
        _ => Err(NameFault::new(
            IssueCode::long(64),
            format!("Tag slug cannot exceed {SLUG_CHARS_MAX} characters"),
        )),
    })
}

/// `key=a,value=b|key=c,value=d`; of a pair, one half may be left out.
fn pairs(field: Field<'_>) -> Read<Vec<MetadataPair>> {
    let shape = || {
        let text = r"[^,|\x00]*";
        let pair = format!("(key={text}(,value={text})?|value={text}(,key={text})?)");
        let more = PAIRS_MAX - 1;
        json!({"type": "string", "pattern": format!(r"^{pair}(\|{pair}){{0,{more}}}$")})
    };
    field.parsed_as(shape, |text| {
        let pairs = text.split('|').map(pair).collect::<Result<Vec<_>, _>>()?;
        if pairs.len() > PAIRS_MAX {
            return Err(fault(format!(
                "At most {PAIRS_MAX} pairs of metadata can be filtered by"
            )));
        }
        Ok(pairs)
    })
}

fn pair(text: &str) -> Result<MetadataPair, NameFault> {
    let mut pair = MetadataPair {
        key: None,
        value: None,
    };
    for part in text.split(',') {
        let half = match part.split_once('=') {
            Some(("key", key)) => pair.key.replace(key.to_owned()),
            Some(("value", value)) => pair.value.replace(value.to_owned()),
            _ => return Err(malformed()),
        };
        if half.is_some() {
            return Err(malformed());
        }
    }
    Ok(pair)
}

fn malformed() -> NameFault {
    fault("Must be pairs such as key=a,value=b|key=c,value=d")
}

fn fault(message: impl Into<String>) -> NameFault {
    NameFault::new(IssueCode::Custom, message)
}
