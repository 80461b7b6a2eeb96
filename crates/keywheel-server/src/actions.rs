//! What can be asked of the system, one file per noun. HTTP, command line and console go through here.

pub mod audit_logs;
pub mod bootstrap;
pub mod connections;
pub mod environments;
mod filling;
pub mod folders;
pub mod identities;
pub mod memberships;
pub mod projects;
mod references;
pub mod rotation_keys;
pub mod rotation_policy;
pub mod rotation_runs;
pub mod rotations;
pub mod secret_imports;
pub mod secrets;
mod slugs;
pub mod tags;
mod tries;
pub mod universal_auth;
pub mod webhooks;
