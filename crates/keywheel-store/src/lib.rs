//! Durable state.
//!
//! One trait per noun says what can be asked of a store, in the words of `keywheel-core`; [`Store`] is all of
//! them together, and the server holds an `Arc<dyn Store>`. Each method is one transaction: it happens as a
//! whole or not at all. The store knows nothing of cryptography: sealed values are bytes to it.
//!
//! | module | noun |
//! |---|---|
//! | [`setup`] | the instance: settings, bootstrap, organization |
//! | [`projects`], [`environments`], [`folders`] | the tree that secrets are in |
//! | [`secrets`] | secrets and their versions |
//! | [`imports`] | folders that show the secrets of other folders |
//! | [`snapshot`] | one state of the tree, for reads that belong together |
//! | [`pages`] | parts of long lists |
//! | [`tags`] | tags of a project, which its secrets can have |
//! | [`connections`] | credentials for AWS |
//! | [`accounts`] | people, and what they signed in for |
//! | [`identities`], [`memberships`], [`universal_auth`], [`tokens`] | who may call |
//! | [`rotations`] | rotations, for reading |
//! | [`rotation_views`] | rotations of many projects at a glance |
//! | [`webhooks`] | whom to tell of changes, and what is still to be told |
//! | [`sql`] | all of it over SQLite and PostgreSQL |
//! | [`runs`] | the history of runs |
//! | [`dump`] | everything, row by row: for backups and for another database |
//! | [`sealed`] | all sealed values, for a new root key |
//! | [`schema`] | versions of the database |
//! | [`audit`] | the audit log: records in a chain |
//! | [`pace`] | turns to call AWS, for all processes together |
//! | [`ledgers`] | the record of IAM users and their keys: leases, fences, commits |

pub mod accounts;
pub mod audit;
pub mod connections;
pub mod dump;
pub mod environments;
pub mod error;
pub mod folders;
pub mod identities;
pub mod imports;
pub mod ledgers;
pub mod memberships;
pub mod pace;
pub mod pages;
pub mod patch;
pub mod projects;
pub mod rotation_views;
pub mod rotations;
pub mod runs;
pub mod schema;
pub mod sealed;
pub mod secrets;
pub mod setup;
pub mod snapshot;
pub mod sql;
pub mod tags;
pub mod tokens;
pub mod trusted_ip;
pub mod universal_auth;
pub mod webhooks;

pub use accounts::Accounts;
pub use audit::AuditLog;
pub use connections::Connections;
pub use dump::{Dump, Load};
pub use environments::Environments;
pub use error::{Conflict, Result, StoreError};
pub use folders::Folders;
pub use identities::Identities;
pub use imports::Imports;
pub use ledgers::Ledgers;
pub use memberships::Memberships;
pub use pace::Pace;
pub use pages::{Keyed, Page, Part};
pub use patch::Patch;
pub use projects::Projects;
pub use rotation_views::RotationViews;
pub use rotations::Rotations;
pub use runs::Runs;
pub use schema::Schema;
pub use sealed::SealedValues;
pub use secrets::Secrets;
pub use setup::Setup;
pub use snapshot::{Snapshot, Snapshots};
pub use sql::{SqlStore, open, open_to_dump, open_to_load, open_to_read, schema_of};
pub use tags::Tags;
pub use tokens::Tokens;
pub use trusted_ip::TrustedIp;
pub use universal_auth::UniversalAuths;
pub use webhooks::Webhooks;

/// Everything that can be asked of a store.
pub trait Store:
    Setup
    + Projects
    + Environments
    + Folders
    + Secrets
    + Imports
    + Snapshots
    + Tags
    + Connections
    + Accounts
    + Identities
    + Memberships
    + UniversalAuths
    + Tokens
    + Rotations
    + RotationViews
    + Ledgers
    + Runs
    + AuditLog
    + Webhooks
    + Pace
    + SealedValues
{
    /// A number that changes with each write but those to the audit log and those of logins, if this process is the
    /// only one that writes. What a login writes, nobody can have read before: its token, and counts.
    ///
    /// Whoever reads the number, then the data, and keeps both may use the data for as long as the number
    /// is the same. None where other processes write too: then nothing may be kept.
    fn revision(&self) -> Option<u64>;
}
