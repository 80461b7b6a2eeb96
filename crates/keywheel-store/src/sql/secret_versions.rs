//! Statements of what secrets were.

use keywheel_core::ids::SecretId;

use super::adapter::Session;
use super::value::{Reader, args};
use crate::error::Result;
use crate::secrets::SecretVersion;

pub(super) const SELECT: &str = "SELECT v.id, v.secret_id, v.number, v.value, v.author, v.created_at \
    FROM secret_versions v";

/// One version by its number.
pub(super) fn one_sql() -> String {
    format!("{SELECT} WHERE v.secret_id = $1 AND v.number = $2")
}

pub(super) fn secret_version(r: &mut Reader) -> Result<SecretVersion> {
    Ok(SecretVersion {
        id: r.id()?,
        secret: r.id()?,
        number: r.int()?,
        value: r.opt_bytes()?,
        author: r.json()?,
        created_at: r.moment()?,
    })
}

/// Forgets the versions of a secret beyond the limit of its project. Each write of a version ends with this, so that
/// no secret grows without bound.
pub(super) async fn forget_old(session: &mut Box<dyn Session>, secret: SecretId) -> Result<()> {
    let sql = "DELETE FROM secret_versions WHERE secret_id = $1 AND number <= (SELECT s.version - p.version_limit \
               FROM secrets s JOIN folders f ON f.id = s.folder_id JOIN environments e ON e.id = f.environment_id \
               JOIN projects p ON p.id = e.project_id WHERE s.id = $1)";
    session.execute(sql, args![secret]).await?;
    Ok(())
}
