//! What the values of secrets refer to.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use keywheel_core::ids::{ProjectId, SecretVersionId};
use keywheel_core::names::SecretName;
use keywheel_core::references::expand::Expansion;
use keywheel_core::references::{Address, Folder, find};
use keywheel_store::Snapshot;
use keywheel_store::secrets::Secret;
use secrecy::{ExposeSecret, SecretString};

use crate::actions::references::{home, value};
use crate::app::App;
use crate::http::errors::ApiError;

/// Most secrets that one read follows references to: what a request may cost.
const REFERRED_MAX: usize = 5_000;
/// Most questions to the store that one read asks for them: one for each folder at each level. A question takes some ten
/// microseconds, and a connection waits meanwhile.
const QUESTIONS_MAX: usize = 200;
/// Longest all values of one read may be together, in bytes, as they are stored and once they are written out. A thousand
/// ordinary values are far below it.
const BYTES_MAX: usize = 16 * 1_048_576;
/// Most references that one read replaces: a tenth of a second.
const STEPS_MAX: usize = 3_000_000;

/// Secrets whose values hold references, and everything that those lead to.
#[derive(Default)]
pub(super) struct Referred {
    /// By address; none where a reference leads to nothing.
    secrets: BTreeMap<Address, Option<Arc<Secret>>>,
    /// The values that hold references. They follow from the secrets.
    opened: BTreeMap<Address, SecretString>,
    /// The secrets that were asked for and hold references.
    roots: Vec<(SecretVersionId, Address)>,
    /// The same of a version that is not the current one: nothing refers to that.
    older: Option<(SecretVersionId, Folder, SecretString)>,
    /// What following costs.
    questions: usize,
    sealed_bytes: usize,
}

/// By what the values follow from: of what is referred to, nothing else is shown.
impl Hash for Referred {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (address, secret) in &self.secrets {
            let version = secret
                .as_ref()
                .map(|secret| (secret.version_id, secret.value.is_some()));
            (address, version).hash(state);
        }
    }
}

/// What is to be asked for next, by folder.
type Wanted = BTreeMap<Folder, Vec<SecretName>>;

impl Referred {
    /// Follows the references of secrets, level by level. Only values that may hold references are opened.
    pub(super) async fn follow(
        app: &App,
        snapshot: &mut dyn Snapshot,
        project: ProjectId,
        roots: impl Iterator<Item = &Arc<Secret>> + Send,
    ) -> Result<Self, ApiError> {
        let mut referred = Self::default();
        let mut wanted = Wanted::new();
        for secret in roots.filter(|secret| secret.has_references) {
            let (address, text) = (address_of(secret), open(app, secret)?);
            // The store does not always know better: values of before it took this down may hold none.
            if find(text.expose_secret()).next().is_some() {
                referred.roots.push((secret.version_id, address.clone()));
                referred.add(secret, address, text, &mut wanted)?;
            }
        }
        referred.follow_all(app, snapshot, project, wanted).await?;
        Ok(referred)
    }

    /// The same for a version that is not the current one.
    pub(super) async fn follow_older(
        app: &App,
        snapshot: &mut dyn Snapshot,
        secret: &Secret,
    ) -> Result<Self, ApiError> {
        let mut referred = Self::default();
        let mut wanted = Wanted::new();
        let text = open(app, secret)?;
        if find(text.expose_secret()).next().is_some() {
            referred.want(&home(secret), &text, &mut wanted);
            referred.older = Some((secret.version_id, home(secret), text));
        }
        let project = secret.place.project;
        referred.follow_all(app, snapshot, project, wanted).await?;
        Ok(referred)
    }

    async fn follow_all(
        &mut self,
        app: &App,
        snapshot: &mut dyn Snapshot,
        project: ProjectId,
        mut wanted: Wanted,
    ) -> Result<(), ApiError> {
        while !wanted.is_empty() {
            for (folder, names) in std::mem::take(&mut wanted) {
                self.questions += 1;
                self.require_bounds()?;
                let found = snapshot
                    .secrets_named(project, &folder.environment, &folder.path, &names)
                    .await?;
                for secret in found.into_iter().map(Arc::new) {
                    let address = address_of(&secret);
                    if secret.has_references {
                        let text = open(app, &secret)?;
                        self.add(&secret, address, text, &mut wanted)?;
                    } else {
                        self.know(&secret, address)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes down a secret whose value may hold references, and what it refers to and is not known yet.
    fn add(
        &mut self,
        secret: &Arc<Secret>,
        address: Address,
        text: SecretString,
        wanted: &mut Wanted,
    ) -> Result<(), ApiError> {
        self.know(secret, address.clone())?;
        self.want(&address.folder, &text, wanted);
        self.opened.insert(address, text);
        Ok(())
    }

    fn know(&mut self, secret: &Arc<Secret>, address: Address) -> Result<(), ApiError> {
        self.sealed_bytes += secret.value.as_ref().map_or(0, Vec::len);
        self.secrets.insert(address, Some(Arc::clone(secret)));
        self.require_bounds()
    }

    fn want(&mut self, home: &Folder, text: &SecretString, wanted: &mut Wanted) {
        for target in find(text.expose_secret()).filter_map(|found| found.resolve(home)) {
            if !self.secrets.contains_key(&target) {
                self.secrets.insert(target.clone(), None);
                wanted.entry(target.folder).or_default().push(target.name);
            }
        }
    }

    fn require_bounds(&self) -> Result<(), ApiError> {
        if self.secrets.len() - self.roots.len() > REFERRED_MAX {
            return Err(too_much(&format!(
                "more than {REFERRED_MAX} secrets are referred to"
            )));
        }
        if self.questions > QUESTIONS_MAX {
            return Err(too_much(&format!(
                "the secrets that are referred to are in more than {QUESTIONS_MAX} folders, or nested deeper"
            )));
        }
        if self.sealed_bytes > BYTES_MAX {
            return Err(too_much(&format!("the values are longer than {BYTES_MAX} bytes")));
        }
        Ok(())
    }

    /// The values of those that were asked for, with what they refer to in place of the references.
    pub(super) fn expand(&self, app: &App) -> Result<HashMap<SecretVersionId, SecretString>, ApiError> {
        let closed = |(address, secret): (&Address, &Option<Arc<Secret>>)| {
            let secret = secret.as_ref().filter(|_| !self.opened.contains_key(address))?;
            Some(open(app, secret).map(|value| (address.clone(), value)))
        };
        let closed: Vec<_> = self.secrets.iter().filter_map(closed).collect::<Result<_, _>>()?;
        let texts = self
            .opened
            .iter()
            .chain(closed.iter().map(|(address, value)| (address, value)));
        let expansion = Expansion::new(texts.map(|(address, value)| (address, value.expose_secret())));
        let (mut bytes, mut steps) = (0, 0);
        for cost in self.roots.iter().filter_map(|(_, root)| expansion.cost(root)) {
            bytes += cost.bytes;
            steps += cost.steps;
        }
        if bytes > BYTES_MAX || steps > STEPS_MAX {
            return Err(too_much(&format!(
                "the values grow beyond {BYTES_MAX} bytes or {STEPS_MAX} references"
            )));
        }
        let current = self
            .roots
            .iter()
            .filter_map(|(version, root)| Some((*version, expansion.expand(root)?)));
        let older = self.older.iter().map(|(version, home, text)| {
            let text = expansion.expand_in(home, text.expose_secret());
            (*version, text)
        });
        let values = current
            .chain(older)
            .map(|(version, text)| (version, SecretString::from(text)));
        Ok(values.collect())
    }
}

/// Where a secret is, in the words of references.
fn address_of(secret: &Secret) -> Address {
    Address {
        folder: home(secret),
        name: secret.name.clone(),
    }
}

fn too_much(what: &str) -> ApiError {
    ApiError::bad_request(format!(
        "The references cannot be expanded: {what}. Ask with expandSecretReferences=false, or for fewer secrets."
    ))
}

fn open(app: &App, secret: &Secret) -> Result<SecretString, ApiError> {
    Ok(value(app, secret)?.unwrap_or_default())
}
