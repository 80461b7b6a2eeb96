//! Who is calling, and what they may do.

pub mod access;
pub mod browser;
pub mod caller;
pub mod failures;
pub mod links;
pub mod login;
pub mod password;
pub mod sign_in;
pub mod token;
pub mod totp;
