//! The login that is kept between commands: a file that only its owner may read.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::variable;
use crate::exit::{Failure, Outcome};
use crate::output::tell;

const FOLDER: &str = "keywheel";
const FILE: &str = "login.json";

/// What the file holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    pub(crate) url: String,
    /// Whether an address without encryption was allowed.
    #[serde(default)]
    pub(crate) insecure_http: bool,
    /// None of a token that was given as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(with = "exposed")]
    pub(crate) access_token: SecretString,
    /// Only on request: with it the file is good for ever.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "exposed_option")]
    pub(crate) client_secret: Option<SecretString>,
}

impl Kept {
    /// The login that is kept, if there is one.
    pub(crate) fn read() -> Outcome<Option<Self>> {
        Self::read_from(&place()?)
    }

    fn read_from(path: &Path) -> Outcome<Option<Self>> {
        let text: SecretString = match std::fs::read_to_string(path) {
            Ok(text) => text.into(),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => {
                return Err(Failure::failed(format!(
                    "cannot read {}: {fault}",
                    path.display()
                )));
            }
        };
        if std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
            tell(format_args!(
                "others may read {0}; run: chmod 600 {0}",
                path.display()
            ));
        }
        let kept = serde_json::from_str(text.expose_secret()).map_err(|_| {
            Failure::failed(format!(
                "{} is not a login of Keywheel; run: keywheel logout",
                path.display()
            ))
        })?;
        Ok(Some(kept))
    }

    /// The same login with another token.
    pub(crate) fn with_token(&self, access_token: SecretString) -> Self {
        Self {
            access_token,
            ..self.clone()
        }
    }

    /// Keeps a newer token of this login. A program may run for days: if somebody has logged out or in since, or another
    /// command has renewed the token, what they left is not touched.
    pub(crate) fn renew(&self, token: &SecretString) -> Outcome {
        self.renew_in(&place()?, token)
    }

    fn renew_in(&self, path: &Path, token: &SecretString) -> Outcome {
        match Self::read_from(path)?.filter(|found| found.is_same(self)) {
            Some(found) => found.with_token(token.clone()).keep_in(path),
            None => Ok(()),
        }
    }

    /// The same caller with the same token.
    fn is_same(&self, other: &Self) -> bool {
        self.url == other.url
            && self.client_id == other.client_id
            && self.access_token.expose_secret() == other.access_token.expose_secret()
    }

    /// Keeps it in place of the one before, all at once: a command beside this one reads either.
    pub(crate) fn write(&self) -> Outcome<PathBuf> {
        let path = place()?;
        self.keep_in(&path)?;
        Ok(path)
    }

    fn keep_in(&self, path: &Path) -> Outcome {
        self.write_to(path)
            .map_err(|fault| Failure::failed(format!("cannot keep the login in {}: {fault}", path.display())))
    }

    fn write_to(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let _ = std::fs::remove_file(&fresh);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        let text: SecretString = serde_json::to_string_pretty(self)?.into();
        let written = file
            .write_all(text.expose_secret().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&fresh, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&fresh);
        }
        written
    }

    /// Forgets the login. Whether there was one.
    pub(crate) fn remove() -> Outcome<bool> {
        let path = place()?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(fault) => Err(Failure::failed(format!(
                "cannot remove {}: {fault}",
                path.display()
            ))),
        }
    }
}

/// `$XDG_CONFIG_HOME/keywheel/login.json`.
fn place() -> Outcome<PathBuf> {
    let folder = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let folder = folder.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
    let folder = folder
        .ok_or_else(|| Failure::failed("neither XDG_CONFIG_HOME nor HOME says where a login is kept"))?;
    Ok(folder.join(FOLDER).join(FILE))
}

/// The one place where these secrets are written down.
mod exposed {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

mod exposed_option {
    use super::{Deserialize, Deserializer, SecretString, Serializer, exposed};

    #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        secret: &Option<SecretString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => exposed::serialize(secret, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Kept {
        Kept {
            url: "https://keywheel.example".to_owned(),
            insecure_http: false,
            client_id: Some("id".to_owned()),
            access_token: "token".to_owned().into(),
            client_secret: None,
        }
    }

    #[test]
    fn a_login_is_kept_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keywheel").join("login.json");
        login().write_to(&path).unwrap();
        login()
            .with_token("other".to_owned().into())
            .write_to(&path)
            .unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let kept = Kept::read_from(&path).unwrap().unwrap();
        assert_eq!(kept.access_token.expose_secret(), "other");
        assert!(kept.client_secret.is_none());
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    /// What is kept after a process that began with `login()` has renewed its token.
    fn after_a_renewal(kept_meanwhile: Option<&Kept>) -> Option<Kept> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login.json");
        if let Some(kept) = kept_meanwhile {
            kept.write_to(&path).unwrap();
        }
        login().renew_in(&path, &"renewed".to_owned().into()).unwrap();
        Kept::read_from(&path).unwrap()
    }

    #[test]
    fn a_renewed_token_is_kept_in_place_of_the_one_before() {
        let kept = after_a_renewal(Some(&login())).unwrap();
        assert_eq!(kept.access_token.expose_secret(), "renewed");
    }

    #[test]
    fn a_renewal_brings_no_login_back_after_a_logout() {
        assert!(after_a_renewal(None).is_none());
    }

    #[test]
    fn a_renewal_leaves_the_login_of_somebody_else_alone() {
        let others = [
            login().with_token("newer".to_owned().into()),
            Kept {
                url: "https://other.example".to_owned(),
                ..login()
            },
            Kept {
                client_id: Some("other".to_owned()),
                ..login()
            },
        ];
        for other in others {
            let kept = after_a_renewal(Some(&other)).unwrap();
            let token = |login: &Kept| login.access_token.expose_secret().to_owned();
            assert_eq!(token(&kept), token(&other));
        }
    }

    #[test]
    fn no_login_is_no_fault_but_a_broken_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login.json");
        assert!(Kept::read_from(&path).unwrap().is_none());
        std::fs::write(&path, "{\"accessToken\": \"very-secret\"").unwrap();
        let Err(failure) = Kept::read_from(&path) else {
            panic!("a broken login was read");
        };
        assert!(!failure.to_string().contains("very-secret"));
    }
}
