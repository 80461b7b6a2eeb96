//! Turns to call AWS, for all processes together: AWS counts calls per account, and not per caller.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use keywheel_core::aws::AwsAccount;

use crate::error::Result;

/// Turns that were taken at once: the first after a wait, each further one after another interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turns {
    /// From the answer to the first turn.
    pub wait: Duration,
    /// From one turn to the next.
    pub interval: Duration,
}

/// The calls of all processes to AWS accounts.
#[async_trait]
pub trait Pace: Send + Sync {
    /// Takes the next turns of an account. Turns of an account are that many in a second for all that ask, except that
    /// those of one second may come at once when nobody took one lately. Turns are counted on the database's clock.
    async fn take_turns(&self, account: &AwsAccount, count: u32, per_second: NonZeroU32) -> Result<Turns>;
}
