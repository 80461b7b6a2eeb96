//! Failed logins, counted in memory and by where they come from.
//!
//! Two counts are kept. One by address, whatever is tried: over its limit nothing more is looked at for a while, so that
//! guessing costs neither database nor audit log. One by login and address: the lockout of the contract (platform
//! contract, section 6.1.1). It is held against the address that failed and not against the login alone, because a
//! client id is no secret: whoever knows it could lock out its rightful user for ever.
//!
//! Two more are those of people: by e-mail address and address, and wrong one-time codes by account wherever they come
//! from. Only who has the right password comes to the codes, so that strangers cannot lock anybody out.
//!
//! People's attempts count from their beginning and are taken back if they were none: a password takes long to look at,
//! and all of those that are sent at once would otherwise be looked at before the first failure counts.
//!
//! Nothing here is written down. A restart forgives, and of several servers each counts for itself: client secrets are
//! random and passwords long, so that a few more guesses change nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use keywheel_core::clock::Millis;
use keywheel_core::ids::{AccountId, UniversalAuthId};

/// Keys of one count: at some fifty bytes each, below a megabyte.
const KEYS_MAX: usize = 8_192;
/// What one network has of an IPv6 address: whoever has one address has all of its last 64 bits (RFC 4291, 2.5.1).
const NETWORK: u128 = !0 << 64;
/// The time in which failures of one address count together, and how long it then has to wait.
const MINUTE: Millis = Millis::from_secs(60);

/// A text in few bytes, however long somebody made it, such as an e-mail address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TextDigest([u8; SHA256_OUTPUT_LEN]);

impl From<&str> for TextDigest {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// Where a login comes from: one address, or one network of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// From where the time of a count runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// From its first failure.
    First,
    /// Anew from each failure.
    Last,
}

/// When failures are too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// So many are.
    pub failures: u32,
    /// If they come within this time.
    pub within: Millis,
    /// Where that begins.
    pub since: Since,
    /// For how long nothing more is looked at then.
    pub closed_for: Millis,
}

impl Limit {
    /// Of one address, by how many failures it may have in a minute.
    pub const fn per_minute(failures: u32) -> Self {
        Self {
            failures,
            within: MINUTE,
            since: Since::First,
            closed_for: MINUTE,
        }
    }
}

/// What a failure led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Whether it was the one too many.
    pub closes: bool,
    /// How many were refused unseen since the count before.
    pub refused_before: u64,
}

#[derive(Default)]
struct Count {
    failures: u32,
    /// When it is forgotten, or open again; on the monotonic clock.
    ends: Millis,
    is_closed: bool,
    refused: u64,
}

/// Failures by key. The times are those of the monotonic clock.
pub struct Failures<K>(Mutex<HashMap<K, Count>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> Failures<K> {
    /// For how long it is still closed, if it is. The question counts as refused then.
    pub fn closed_for(&self, key: &K, now: Millis) -> Option<Millis> {
        refused(&mut self.lock(), key, now)
    }

    /// Counts an attempt as a failure before it is made; or tells for how long the key is still closed. The last one that
    /// may be made closes it.
    pub fn reserve(&self, key: K, limit: Limit, now: Millis) -> Result<Noted, Millis> {
        let mut counts = self.lock();
        match refused(&mut counts, &key, now) {
            Some(rest) => Err(rest),
            None => Ok(noted(&mut counts, key, limit, now)),
        }
    }

    /// Takes an attempt back that turned out to be no failure; what it closed is open again.
    pub fn take_back(&self, key: &K) {
        if let Some(count) = self.lock().get_mut(key) {
            count.failures = count.failures.saturating_sub(1);
            count.is_closed = false;
        }
    }

    /// Counts a failure. Those that were begun before it was closed do not keep it closed for longer.
    pub fn note(&self, key: K, limit: Limit, now: Millis) -> Noted {
        noted(&mut self.lock(), key, limit, now)
    }

    /// Whether any of some keys is closed.
    pub fn any_closed(&self, of: impl Fn(&K) -> bool, now: Millis) -> bool {
        let counts = self.lock();
        counts
            .iter()
            .any(|(key, count)| of(key) && count.is_closed_at(now))
    }

    /// Forgets a count.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    /// Forgets the counts of some keys; how many of them were closed.
    pub fn forget_all(&self, of: impl Fn(&K) -> bool, now: Millis) -> u64 {
        let mut counts = self.lock();
        let gone = counts.extract_if(|key, _| of(key));
        gone.map(|(_, count)| u64::from(count.is_closed_at(now))).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn is_closed_at(&self, now: Millis) -> bool {
        self.is_closed && self.ends > now
    }
}

fn refused<K: Hash + Eq>(counts: &mut HashMap<K, Count>, key: &K, now: Millis) -> Option<Millis> {
    let count = counts.get_mut(key).filter(|count| count.is_closed_at(now))?;
    count.refused = count.refused.saturating_add(1);
    Some(Millis::new(count.ends.get() - now.get()))
}

fn noted<K: Hash + Eq>(counts: &mut HashMap<K, Count>, key: K, limit: Limit, now: Millis) -> Noted {
    make_room(counts, &key, now);
    let count = counts.entry(key).or_default();
    let mut refused_before = 0;
    if count.ends <= now {
        refused_before = count.refused;
        *count = Count::default();
    } else if count.is_closed {
        return Noted {
            closes: false,
            refused_before: 0,
        };
    }
    count.failures = count.failures.saturating_add(1);
    if count.failures == 1 || limit.since == Since::Last {
        count.ends = now + limit.within;
    }
    count.is_closed = count.failures >= limit.failures;
    if count.is_closed {
        count.ends = now + limit.closed_for;
    }
    Noted {
        closes: count.is_closed,
        refused_before,
    }
}

/// Forgets what is over. If that is not enough, all of it: whoever has thousands of addresses is not stopped by counts.
fn make_room<K: Hash + Eq>(counts: &mut HashMap<K, Count>, key: &K, now: Millis) {
    if counts.len() < KEYS_MAX || counts.contains_key(key) {
        return;
    }
    counts.retain(|_, count| count.ends > now);
    // With little room it would soon be looked through again.
    if counts.len() > KEYS_MAX / 2 {
        counts.clear();
    }
}

/// The counts of a server.
#[derive(Default)]
pub struct LoginFailures {
    /// By where they come from, whatever was tried.
    pub by_origin: Failures<Origin>,
    /// By login and where they come from.
    pub by_login: Failures<(UniversalAuthId, Origin)>,
    /// By e-mail address, whether or not it has an account, and where they come from.
    pub by_account: Failures<(TextDigest, Origin)>,
    /// Wrong one-time codes, by account.
    pub by_code: Failures<AccountId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        failures: 3,
        within: Millis::from_secs(30),
        since: Since::Last,
        closed_for: Millis::from_secs(300),
    };

    fn at(secs: i64) -> Millis {
        Millis::from_secs(secs)
    }

    fn closes(failures: &Failures<u32>, key: u32, limit: Limit, secs: i64) -> bool {
        failures.note(key, limit, at(secs)).closes
    }

    #[test]
    fn so_many_failures_in_a_row_close_it_for_a_while_and_only_for_their_key() {
        let failures = Failures::default();
        assert_eq!(
            [0, 29, 58].map(|secs| closes(&failures, 1, LIMIT, secs)),
            [false, false, true]
        );
        assert_eq!(failures.closed_for(&1, at(58)), Some(at(300)));
        assert_eq!(failures.closed_for(&1, at(357)), Some(at(1)));
        assert_eq!(failures.closed_for(&1, at(358)), None);
        assert_eq!(failures.closed_for(&2, at(58)), None);
    }

    #[test]
    fn a_pause_begins_the_count_anew() {
        let failures = Failures::default();
        for secs in [0, 1, 31, 32, 62, 63] {
            assert!(!closes(&failures, 1, LIMIT, secs), "{secs}");
        }
        assert!(closes(&failures, 1, LIMIT, 64));
    }

    #[test]
    fn a_count_since_its_first_failure_lets_a_slow_stream_through() {
        let (failures, limit) = (Failures::default(), Limit::per_minute(7));
        for secs in (0..3_600).step_by(10) {
            assert!(!closes(&failures, 1, limit, secs), "{secs}");
        }
        assert!((0..7).any(|_| closes(&failures, 1, limit, 3_600)));
    }

    #[test]
    fn failures_under_way_and_refusals_do_not_keep_it_closed() {
        let failures = Failures::default();
        for _ in 0..10 {
            failures.note(1, LIMIT, at(0));
        }
        for secs in 0..300 {
            assert_eq!(failures.closed_for(&1, at(secs)), Some(at(300 - secs)));
            failures.note(1, LIMIT, at(secs));
        }
        assert_eq!(failures.closed_for(&1, at(300)), None);
        let noted = failures.note(1, LIMIT, at(300));
        assert_eq!((noted.closes, noted.refused_before), (false, 300));
        assert_eq!(failures.note(1, LIMIT, at(300)).refused_before, 0);
    }

    #[test]
    fn of_attempts_at_once_no_more_than_the_limit_are_made_and_those_that_were_none_do_not_count() {
        let failures = Failures::default();
        let reserve = || failures.reserve(1, LIMIT, at(0)).map(|noted| noted.closes);
        let outcomes = [(); 5].map(|()| reserve());
        assert_eq!(
            outcomes,
            [Ok(false), Ok(false), Ok(true), Err(at(300)), Err(at(300))]
        );
        failures.take_back(&1);
        assert_eq!((reserve(), reserve()), (Ok(true), Err(at(300))));
    }

    #[test]
    fn what_is_forgotten_is_open_at_once() {
        let failures = Failures::default();
        for key in [1, 1, 1, 2, 2, 2, 3] {
            failures.note(key, LIMIT, at(0));
        }
        failures.forget(&1);
        assert_eq!(failures.closed_for(&1, at(1)), None);
        assert_eq!(failures.forget_all(|key| *key > 1, at(1)), 1);
        assert_eq!(failures.forget_all(|key| *key > 1, at(1)), 0);
        assert_eq!(failures.closed_for(&2, at(1)), None);
    }

    #[test]
    fn the_memory_is_bounded_and_what_is_over_goes_first() {
        let failures = Failures::default();
        let keys = u32::try_from(KEYS_MAX).unwrap();
        for key in 0..keys - 1 {
            failures.note(key, LIMIT, at(0));
        }
        for _ in 0..3 {
            failures.note(keys, LIMIT, at(40));
        }
        failures.note(keys + 1, LIMIT, at(41));
        assert_eq!(failures.lock().len(), 2);
        assert!(failures.closed_for(&keys, at(41)).is_some());
        for key in 0..keys * 3 {
            failures.note(key, LIMIT, at(41));
            assert!(failures.lock().len() <= KEYS_MAX);
        }
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_origin() {
        let origin = |text: &str| Origin::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:192.0.2.7"), origin("192.0.2.7"));
        assert_ne!(origin("192.0.2.8"), origin("192.0.2.7"));
    }
}
