//! Which secrets a list is to hold.

use keywheel_store::secrets::{Secret, SecretMetadata};

/// What a list asks of its secrets, besides where they are. Of nothing at all, every secret has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct SecretFilter {
    /// Slugs of tags, of which it has to have one.
    pub tags: Vec<String>,
    /// Each of these has to be in its metadata.
    pub metadata: Vec<MetadataPair>,
}

/// An entry of metadata, or only one half of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MetadataPair {
    /// The key.
    pub key: Option<String>,
    /// The value.
    pub value: Option<String>,
}

impl SecretFilter {
    /// Whether the list is to hold this secret.
    pub fn admits(&self, secret: &Secret) -> bool {
        let is_tagged = |slug: &String| secret.tags.iter().any(|tag| tag.slug.as_str() == slug);
        let says = |pair: &MetadataPair| secret.metadata.iter().any(|entry| pair.is_said_by(entry));
        (self.tags.is_empty() || self.tags.iter().any(is_tagged)) && self.metadata.iter().all(says)
    }
}

impl MetadataPair {
    /// What a client encrypted is not for the server to compare.
    fn is_said_by(&self, entry: &SecretMetadata) -> bool {
        let same = |wanted: &Option<String>, said: &String| wanted.as_ref().is_none_or(|text| text == said);
        !entry.is_encrypted && same(&self.key, &entry.key) && same(&self.value, &entry.value)
    }
}
