//! What the values of secrets refer to.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use keywheel_core::ids::ProjectId;
use keywheel_core::names::SecretName;
use keywheel_core::references::expand::{DEPTH_MAX, Expansion};
use keywheel_core::references::{Address, Folder, find};
use keywheel_store::Snapshot;
use keywheel_store::secrets::Secret;
use secrecy::{ExposeSecret, SecretString};

use crate::actions::references::{home, value};
use crate::app::App;
use crate::http::errors::ApiError;

/// Most secrets that one read follows references to: what a request may cost.
const REFERRED_MAX: usize = 5_000;
/// Longest all values of one read may become together, in bytes. A thousand ordinary values are far below it.
const EXPANDED_BYTES_MAX: usize = 16 * 1_048_576;

/// Secrets whose values hold references, and everything that those lead to.
#[derive(Default)]
pub(super) struct Referred {
    /// By address; none where a reference leads to nothing.
    secrets: BTreeMap<Address, Option<Arc<Secret>>>,
    /// The values that hold references. They follow from the secrets.
    opened: HashMap<Address, SecretString>,
    /// The addresses that were asked for.
    roots: Vec<Address>,
}

impl Hash for Referred {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.secrets.hash(state);
    }
}

/// Where a secret is, in the words of references.
pub(super) fn address_of(secret: &Secret) -> Address {
    Address {
        folder: home(secret),
        name: secret.name.clone(),
    }
}

impl Referred {
    /// Follows the references of secrets, level by level. Only values that hold references are opened.
    pub(super) async fn follow(
        app: &App,
        snapshot: &mut dyn Snapshot,
        project: ProjectId,
        roots: impl Iterator<Item = &Arc<Secret>> + Send,
    ) -> Result<Self, ApiError> {
        let mut referred = Self::default();
        let mut fresh: Vec<Arc<Secret>> = roots.filter(|secret| secret.has_references).cloned().collect();
        for secret in &fresh {
            referred.roots.push(address_of(secret));
            referred
                .secrets
                .insert(address_of(secret), Some(Arc::clone(secret)));
        }
        for _ in 0..=DEPTH_MAX {
            let wanted = referred.open_all(app, &fresh)?;
            fresh.clear();
            for (folder, names) in wanted {
                let found = snapshot
                    .secrets_named(project, &folder.environment, &folder.path, &names)
                    .await?;
                for secret in found.into_iter().map(Arc::new) {
                    referred
                        .secrets
                        .insert(address_of(&secret), Some(Arc::clone(&secret)));
                    fresh.extend(Some(secret).filter(|secret| secret.has_references));
                }
            }
            if fresh.is_empty() {
                break;
            }
        }
        Ok(referred)
    }

    /// Opens values with references; what they refer to and is not known yet, by folder.
    fn open_all(
        &mut self,
        app: &App,
        secrets: &[Arc<Secret>],
    ) -> Result<BTreeMap<Folder, Vec<SecretName>>, ApiError> {
        let mut wanted: BTreeMap<Folder, Vec<SecretName>> = BTreeMap::new();
        for secret in secrets {
            let home = address_of(secret);
            let value = value(app, secret)?.unwrap_or_default();
            for target in find(value.expose_secret()).filter_map(|found| found.resolve(&home.folder)) {
                if !self.secrets.contains_key(&target) {
                    self.secrets.insert(target.clone(), None);
                    wanted.entry(target.folder).or_default().push(target.name);
                }
            }
            self.opened.insert(home, value);
        }
        if self.secrets.len() > REFERRED_MAX {
            return Err(too_much(&format!(
                "more than {REFERRED_MAX} secrets are referred to"
            )));
        }
        Ok(wanted)
    }

    /// The values of those that were asked for, with what they refer to in place of the references.
    pub(super) fn expand(&self, app: &App) -> Result<HashMap<Address, SecretString>, ApiError> {
        let mut values = Vec::with_capacity(self.secrets.len());
        for (address, secret) in &self.secrets {
            let Some(secret) = secret else { continue };
            let value = match self.opened.get(address) {
                Some(value) => value.clone(),
                None => value(app, secret)?.unwrap_or_default(),
            };
            values.push((address, value));
        }
        let texts = values
            .iter()
            .map(|(address, value)| (*address, value.expose_secret()));
        let expansion = Expansion::new(texts);
        let total: usize = self.roots.iter().filter_map(|root| expansion.len(root)).sum();
        if total > EXPANDED_BYTES_MAX {
            return Err(too_much(&format!(
                "the values grow beyond {EXPANDED_BYTES_MAX} bytes"
            )));
        }
        let expanded = |root: &Address| {
            let text = expansion.expand(root)?;
            Some((root.clone(), SecretString::from(text)))
        };
        Ok(self.roots.iter().filter_map(expanded).collect())
    }
}

fn too_much(what: &str) -> ApiError {
    ApiError::bad_request(format!(
        "The references cannot be expanded: {what}. Ask with expandSecretReferences=false, or for fewer secrets."
    ))
}
