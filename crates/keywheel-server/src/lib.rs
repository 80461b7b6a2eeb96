//! The server of Keywheel: adapters around the rules in `keywheel-core`, and their wiring.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | settings: from files, variables and flags to checked values |
//! | [`ambient`] | time and randomness, the only place that asks the system for them |
//! | [`app`] | every part of a running server, built once |
//! | [`vault`] | which sealed bytes belong where |
//! | [`audit`] | the audit log: entries, the chain, its proof |
//! | [`root_keys`] | the root keys of the settings, and how everything comes under a new one |
//! | [`backup`] | backups: one state of a database, in a sealed file |
//! | [`transfer`] | how an empty database is filled and proven |
//! | [`auth`] | who is calling, and what they may do |
//! | [`actions`] | what can be asked of the system, one file per noun |
//! | [`engine`] | rotations under way: driver, leases, schedule |
//! | [`webhooks`] | tells receivers outside what happened |
//! | [`http`] | the API: routes, request data, answers, refusals |
//! | [`observe`] | the log |
//! | [`start`] | from settings to a running server, and to its end |
//! | [`cli`] | the commands of the binary |
//! | [`commands`] | those for operators, one file each |

pub mod actions;
pub mod ambient;
pub mod app;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod config;
#[cfg(feature = "dev")]
pub mod dev;
pub mod engine;
pub mod http;
pub mod net;
pub mod observe;
pub mod root_keys;
pub mod start;
pub mod transfer;
pub mod vault;
pub mod watch;
pub mod webhooks;
