//! The API: routes, request data, answers, refusals. Handlers are thin; what they do is in
//! [`crate::actions`]. One file per noun, with its bodies and answers in `json.rs` below it.

pub mod answer;
mod app_connections;
mod audit_logs;
mod auth;
mod bootstrap;
mod docs;
pub mod edge;
mod environments;
pub mod errors;
mod etag;
pub mod extract;
pub mod fields;
mod folders;
mod identities;
mod idle;
pub mod listen;
mod memberships;
mod openapi;
mod paging;
pub mod place;
mod projects;
mod rotation_keys;
mod rotation_policy;
mod rotation_runs;
pub mod router;
mod secret_imports;
mod secret_rotations;
mod secrets;
mod status;
mod tags;
mod universal_auth;
mod webhooks;
