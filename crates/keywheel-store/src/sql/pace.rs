//! Statements of turns to call AWS.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use keywheel_core::aws::AwsAccount;

use super::value::{Reader, args};
use super::{SqlStore, one_in};
use crate::error::{Result, StoreError};
use crate::pace::{Pace, Turns};

/// Microseconds.
const SECOND: i64 = 1_000_000;
/// No process takes turns this far ahead: the clock of the database was set back.
const AHEAD_MAX: i64 = 3_600 * SECOND;

/// Moves the next turn of an account on by $3, from no earlier than one second ago but for one interval, $2; how long
/// until what was the next turn before.
fn take_sql(now: &str) -> String {
    let earliest = format!("{now} - {SECOND} + $2");
    format!(
        "INSERT INTO aws_pace (account, next_at) VALUES ($1, {earliest} + $3) \
         ON CONFLICT (account) DO UPDATE SET next_at = $3 + \
         CASE WHEN aws_pace.next_at > {earliest} AND aws_pace.next_at < {now} + {AHEAD_MAX} \
         THEN aws_pace.next_at ELSE {earliest} END \
         RETURNING next_at - $3 - {now}"
    )
}

#[async_trait]
impl Pace for SqlStore {
    async fn take_turns(&self, account: &AwsAccount, count: u32, per_second: NonZeroU32) -> Result<Turns> {
        let interval = SECOND / i64::from(per_second.get());
        let sql = take_sql(self.backend.now_micros());
        let mut session = self.write_aside().await?;
        let values = args![account.as_str(), interval, interval.saturating_mul(count.into())];
        let wait = one_in(&mut session, &sql, values, Reader::int).await?;
        session.commit().await?;
        let wait = wait.ok_or_else(|| StoreError::corrupt("a turn that was just taken"))?;
        let micros = |of: i64| Duration::from_micros(u64::try_from(of).unwrap_or(0));
        Ok(Turns {
            wait: micros(wait),
            interval: micros(interval),
        })
    }
}
