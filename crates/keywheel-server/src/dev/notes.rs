//! What `keywheel dev` has made so far. It is kept in the data folder, because the client secret is shown once
//! and stored nowhere else.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The notes of one data folder.
pub(super) struct Notes {
    path: PathBuf,
    made: Made,
}

/// Each part, once it was made.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Made {
    pub(super) admin_token: Option<String>,
    pub(super) admin_password: Option<String>,
    pub(super) organization_id: Option<String>,
    pub(super) project_id: Option<String>,
    pub(super) identity_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
    pub(super) connection_id: Option<String>,
    pub(super) rotation_id: Option<String>,
}

/// All of it, for people and programs: the content of `--credentials-file`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credentials {
    pub(super) url: String,
    pub(super) admin_email: &'static str,
    pub(super) admin_password: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) organization_id: String,
    pub(super) project_id: String,
    pub(super) environment: &'static str,
    pub(super) secret_path: &'static str,
    pub(super) connection_id: String,
    pub(super) rotation_id: String,
    pub(super) sandbox_url: String,
}

impl Notes {
    /// Reads the notes of a folder; empty for a new one.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("dev.json");
        let made = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is damaged; delete {}", path.display(), folder.display()))?,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Made::default(),
            Err(fault) => return Err(fault).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { path, made })
    }

    /// What was made so far.
    pub(super) fn made(&self) -> &Made {
        &self.made
    }

    /// Notes a further part, before the next one is made.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut Made)) -> anyhow::Result<()> {
        change(&mut self.made);
        write_private(&self.path, &serde_json::to_vec_pretty(&self.made)?)
    }

    /// All parts, with where the server and the sandbox are now.
    pub(super) fn complete(&self, url: String, sandbox_url: String) -> anyhow::Result<Credentials> {
        let made = self.made.clone();
        let part = |part: Option<String>| part.context("a part of the demonstration is missing");
        Ok(Credentials {
            url,
            admin_email: super::seed::ADMIN_EMAIL,
            admin_password: part(made.admin_password)?,
            client_id: part(made.client_id)?,
            client_secret: part(made.client_secret)?,
            organization_id: part(made.organization_id)?,
            project_id: part(made.project_id)?,
            environment: super::seed::ENVIRONMENT,
            secret_path: "/",
            connection_id: part(made.connection_id)?,
            rotation_id: part(made.rotation_id)?,
            sandbox_url,
        })
    }
}

/// Writes a file that only its owner may read, as a whole or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    let write = || -> std::io::Result<()> {
        let mut file: File = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
