//! What a secret was.

use keywheel_core::ids::SecretId;
use keywheel_store::identities::PageRequest;
use keywheel_store::secrets::{Secret, SecretVersion};
use secrecy::SecretString;

use super::read::{View, find};
use crate::app::App;
use crate::audit::event::Event;
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// A version, opened as far as was asked for.
pub struct VersionView {
    /// The row; its value is still sealed in there.
    pub version: SecretVersion,
    /// The value; none if it was not asked for.
    pub value: Option<SecretString>,
}

/// A page of the versions of a secret, the newest first, and the secret.
pub async fn list_versions(
    app: &App,
    caller: &Caller,
    id: SecretId,
    page: PageRequest,
    view_value: bool,
) -> Result<(Secret, Vec<VersionView>), ApiError> {
    let view = View {
        value: view_value,
        expand: false,
        imports: false,
    };
    let secret = find(app, caller, id, Event::GetSecretVersions, view).await?;
    let versions = app.store().secret_versions(id, page).await?;
    let open = |version: SecretVersion| {
        let value = match &version.value {
            Some(sealed) if view_value => app.vault().open_secret_value(version.id, sealed)?,
            _ => SecretString::default(),
        };
        Ok(VersionView {
            version,
            value: view_value.then_some(value),
        })
    };
    let views = versions.into_iter().map(open).collect::<Result<_, ApiError>>()?;
    Ok((secret, views))
}
