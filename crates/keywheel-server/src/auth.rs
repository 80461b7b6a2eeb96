//! Who is calling, and what they may do.

pub mod access;
pub mod caller;
pub mod failures;
pub mod login;
pub mod password;
pub mod token;
