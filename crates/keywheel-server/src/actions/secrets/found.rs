//! What a read found, still sealed. Its entity tag follows from this: who has it already is answered without
//! anything being opened.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use keywheel_core::ids::SecretVersionId;
use keywheel_store::imports::FolderPlace;
use keywheel_store::secrets::Secret;
use secrecy::SecretString;

use super::referred::Referred;
use super::{SecretView, open};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Secrets as a request wants to see them. Equal ones are written as equal answers.
#[derive(Hash)]
pub struct Found {
    view_value: bool,
    secrets: Vec<Arc<Secret>>,
    imports: Vec<Imported>,
    referred: Referred,
    next: Option<String>,
}

/// What a folder imports from another one.
pub struct Imported {
    /// The other folder.
    pub place: FolderPlace,
    /// The secrets that it shows, those that it imports itself among them; by name.
    pub secrets: Vec<Arc<Secret>>,
}

/// Without what is not shown of the place.
impl Hash for Imported {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { place, secrets } = self;
        (place.folder, &place.path, &place.environment_slug, secrets).hash(state);
    }
}

/// The same, opened.
pub struct Opened {
    /// The secrets; by path and name.
    pub secrets: Vec<SecretView>,
    /// What their folders import; later ones win over earlier ones.
    pub imports: Vec<(FolderPlace, Vec<SecretView>)>,
}

/// How many secrets a list has.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Of the folders themselves.
    pub own: usize,
    /// Of what they import.
    pub imported: usize,
}

impl Counts {
    /// Tells the audit log.
    pub fn note(self, caller: &Caller) {
        caller.note("numberOfSecrets", self.own);
        if self.imported > 0 {
            caller.note("numberOfImportedSecrets", self.imported);
        }
    }
}

impl Found {
    pub(super) fn new(
        view_value: bool,
        secrets: Vec<Arc<Secret>>,
        imports: Vec<Imported>,
        referred: Referred,
    ) -> Self {
        Self {
            view_value,
            secrets,
            imports,
            referred,
            next: None,
        }
    }

    /// The same as a part of a list, before the one that begins behind a name.
    pub(super) fn before(self, next: Option<String>) -> Self {
        Self { next, ..self }
    }

    /// Behind which name the next part of the list begins.
    pub fn next(&self) -> Option<&String> {
        self.next.as_ref()
    }

    /// How many secrets there are.
    pub fn counts(&self) -> Counts {
        let imported = self.imports.iter().map(|import| import.secrets.len());
        Counts {
            own: self.secrets.len(),
            imported: imported.sum(),
        }
    }

    /// Opens all of it.
    pub fn open(&self, app: &App) -> Result<Opened, ApiError> {
        let expanded = self.referred.expand(app)?;
        let secrets = self.views(app, &self.secrets, &expanded)?;
        let views = |import: &Imported| {
            let secrets = self.views(app, &import.secrets, &expanded)?;
            Ok((import.place.clone(), secrets))
        };
        let imports = self.imports.iter().map(views).collect::<Result<_, ApiError>>()?;
        Ok(Opened { secrets, imports })
    }

    /// Opens the only one.
    pub fn open_one(&self, app: &App) -> Result<SecretView, ApiError> {
        let opened = self.open(app)?.secrets.into_iter().next();
        opened.ok_or_else(|| ApiError::internal("a read of one secret found none"))
    }

    fn views(
        &self,
        app: &App,
        secrets: &[Arc<Secret>],
        expanded: &HashMap<SecretVersionId, SecretString>,
    ) -> Result<Vec<SecretView>, ApiError> {
        let view = |secret: &Arc<Secret>| {
            let value = if self.view_value && !expanded.is_empty() {
                expanded.get(&secret.version_id).cloned()
            } else {
                None
            };
            open(app, Arc::clone(secret), self.view_value, value)
        };
        secrets.iter().map(view).collect()
    }
}
