//! References in the values of secrets follow what gets another name or folder.

use keywheel_core::ids::{ProjectId, SecretId, SecretVersionId};
use keywheel_core::ledger::{ReferencesSeen, SealedVersion};
use keywheel_core::references::{self, Folder, Move};
use keywheel_store::secrets::Secret;
use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::audit::record::Metadata;
use crate::http::errors::ApiError;

/// Most ids of secrets in one entry of the audit log; how many there were is told beside them.
const TOLD_MAX: usize = 100;

/// Secrets that are about to get another name or folder.
pub(super) struct Relocation<'a> {
    /// Their project.
    pub(super) project: ProjectId,
    /// What they are, for refusals.
    pub(super) what: &'static str,
    /// From where to where.
    pub(super) moves: &'a [Move],
    /// Secrets that go, so that nothing they say matters.
    pub(super) gone: &'a [Secret],
    /// Those that may refer to others themselves.
    pub(super) taken_along: &'a [Secret],
    /// The folder that those go to.
    pub(super) destination: &'a Folder,
}

/// The next version of a secret that refers to what moves.
pub(super) struct Rewritten {
    /// As it was read.
    pub(super) secret: Secret,
    /// What it says then.
    pub(super) version: SealedVersion,
}

/// What follows, and what has to be so still when it does.
#[derive(Default)]
pub(super) struct Followers {
    /// None if nothing moves.
    pub(super) seen: Option<ReferencesSeen>,
    /// By path and name.
    pub(super) rewritten: Vec<Rewritten>,
}

impl Followers {
    /// What the audit log tells of secrets that a move replaces, and of those that follow it.
    pub(super) fn told(&self, replaced: &[Secret]) -> Metadata {
        let mut told = Metadata::new();
        if !replaced.is_empty() {
            let names: Vec<&str> = replaced.iter().map(|secret| secret.name.as_str()).collect();
            told.set("replacedSecrets", names);
        }
        if !self.rewritten.is_empty() {
            let ids = self.rewritten.iter().map(|rewritten| rewritten.secret.id);
            told.set("rewrittenSecrets", self.rewritten.len());
            told.set(
                "rewrittenSecretIds",
                ids.take(TOLD_MAX).collect::<Vec<SecretId>>(),
            );
        }
        told
    }
}

/// Looks at all secrets of the project that may refer to others.
pub(super) async fn followers(app: &App, relocation: &Relocation<'_>) -> Result<Followers, ApiError> {
    let found = app.store().secrets_with_references(relocation.project).await?;
    let mut seen = ReferencesSeen {
        project: relocation.project,
        writes: found.writes,
        without: Vec::new(),
    };
    let mut rewritten = Vec::new();
    for secret in found.secrets {
        if relocation.gone.iter().any(|gone| gone.id == secret.id) {
            continue;
        }
        let Some(value) = value(app, &secret)? else {
            continue;
        };
        if references::find(value.expose_secret()).next().is_none() {
            seen.without.push(secret.id);
        } else if let Some(value) = rewrite(relocation, &secret, &value)? {
            let id = app.new_id(SecretVersionId::new);
            let sealed = app.vault().seal_secret_value(id, value.expose_secret())?;
            let version = SealedVersion { id, sealed };
            rewritten.push(Rewritten { secret, version });
        }
    }
    Ok(Followers {
        seen: Some(seen),
        rewritten,
    })
}

/// The current value of a secret; none if it was erased.
pub(super) fn value(app: &App, secret: &Secret) -> Result<Option<SecretString>, ApiError> {
    let sealed = secret.value.as_ref();
    let opened = sealed.map(|sealed| app.vault().open_secret_value(secret.version_id, sealed));
    Ok(opened.transpose()?)
}

/// The folder of a secret, in the words that references use.
pub(super) fn home(secret: &Secret) -> Folder {
    Folder {
        environment: secret.place.environment_slug.clone(),
        path: secret.place.path.clone(),
    }
}

fn rewrite(
    relocation: &Relocation<'_>,
    secret: &Secret,
    value: &SecretString,
) -> Result<Option<SecretString>, ApiError> {
    let home = home(secret);
    let goes = relocation.taken_along.iter().any(|going| going.id == secret.id);
    let new_home = if goes { relocation.destination } else { &home };
    let value = references::rewrite(value.expose_secret(), &home, new_home, relocation.moves);
    let value = value.map_err(|fault| {
        ApiError::bad_request(format!(
            "The secret \"{}\" at the path \"{}\" in environment \"{}\" refers to {}, and {fault}",
            secret.name, home.path, home.environment, relocation.what
        ))
    })?;
    Ok(value.map(SecretString::from))
}
