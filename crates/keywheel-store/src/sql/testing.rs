//! What tests and benchmarks need and no server does: a second organization, and databases of any size.

pub mod copies;

use std::sync::Arc;

use keywheel_core::ids::IdentityId;

use super::value::args;
use super::{SqlStore, adapter};
use crate::Store;
use crate::error::Result;
use crate::setup::Organization;

/// Makes another organization and moves an identity into it, with its logins and tokens. The instance itself knows
/// of one organization only, so this is done from outside: nobody else may have the database open. Returns it, still
/// open.
pub async fn emigrate(
    url: &str,
    identity: IdentityId,
    organization: &Organization,
) -> Result<Arc<dyn Store>> {
    let store = SqlStore::open(url).await?;
    let sql = "INSERT INTO organizations (id, name, slug, created_at) VALUES ($1, $2, $3, $4)";
    let Organization {
        id,
        name,
        slug,
        created_at,
    } = organization;
    store.change(sql, args![*id, name, slug, *created_at]).await?;
    let sql = "UPDATE identities SET organization_id = $1 WHERE id = $2";
    store.change(sql, args![*id, identity]).await?;
    Ok(Arc::new(store))
}

/// A database of an older version of the schema, as the program of then left it.
pub async fn open_at(url: &str, schema: i64) -> Result<Arc<dyn Store>> {
    let backend = adapter::open(url, schema).await?;
    Ok(Arc::new(SqlStore { backend }))
}
