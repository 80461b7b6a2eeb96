//! Passwords of people: argon2id (RFC 9106).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use keywheel_core::clock::Millis;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failures::Origin;
use crate::ambient::{Clock, Entropy};
use crate::http::errors::ApiError;

/// Memory of one hash in KiB, its passes and its lanes: the second recommended option of RFC 9106 with a
/// third of its memory (OWASP's first choice), so that a small machine survives a burst of logins.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of salt (RFC 9106 recommends 16).
const SALT_BYTES: usize = 16;
/// Longest password in characters: hashing without a bound is a way to burn the processor.
pub const PASSWORD_CHARS_MAX: i64 = 256;
/// Shortest password of the bootstrap in characters (contract; NIST SP 800-63B wants at least 8).
pub const PASSWORD_CHARS_MIN: i64 = 8;
/// Shortest password that people may choose anywhere else. It guards keys to AWS, and one-time codes are optional.
pub const NEW_PASSWORD_CHARS_MIN: i64 = 12;

/// Hashes at the same time: 76 MiB, and processors left for rotations.
const HASHES_MAX: usize = 4;
/// Hashes of one origin that may wait for their turn: people sign in one by one, and whoever sends hundreds at once must
/// not stand before everybody else.
const WAITING_MAX: usize = 2;
/// How long one waits for its turn. Some hundred are hashed in that time; whoever is behind more of them is told.
const TURN_WAIT_MAX: Millis = Millis::from_secs(10);
/// When it may be tried again then.
const RETRY_AFTER: Millis = Millis::from_secs(5);
/// The salt of the hash that is made where there is none to compare with.
const NO_SALT: [u8; SALT_BYTES] = [0; SALT_BYTES];

/// Hashes passwords, a few at a time.
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Waiting,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(HASHES_MAX)),
            waiting: Waiting::default(),
        }
    }
}

/// How many wait for their turn, by where they come from.
#[derive(Default)]
struct Waiting(Mutex<HashMap<Origin, usize>>);

/// A place among those that wait.
struct Place<'a> {
    waiting: &'a Waiting,
    origin: Origin,
}

impl Waiting {
    /// A place; none if the origin has as many as it may.
    fn enter(&self, origin: Origin) -> Option<Place<'_>> {
        let mut waiting = self.lock();
        let own = waiting.entry(origin).or_default();
        if *own >= WAITING_MAX {
            return None;
        }
        *own += 1;
        Some(Place {
            waiting: self,
            origin,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        if let Some(own) = waiting.get_mut(&self.origin) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.origin);
            }
        }
    }
}

impl Passwords {
    /// The text that is kept of a password: it holds the settings and the salt (PHC form).
    pub async fn hash(
        &self,
        password: SecretString,
        origin: Origin,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<String, ApiError> {
        let salt = entropy.bytes::<SALT_BYTES>();
        self.work(origin, clock, move || hash(&password, &salt)).await
    }

    /// Whether a password is the one that a text was kept of. Without a text it takes just as long, and never is.
    pub async fn verify(
        &self,
        password: SecretString,
        kept: Option<String>,
        origin: Origin,
        clock: &dyn Clock,
    ) -> Result<bool, ApiError> {
        let verify = move || {
            let Some(kept) = kept else {
                return hash(&password, &NO_SALT).map(|_| false);
            };
            let given = password.expose_secret().as_bytes();
            match Argon2::default().verify_password(given, kept.as_str()) {
                Ok(()) => Ok(true),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(fault) => Err(ApiError::internal(fault)),
            }
        };
        self.work(origin, clock, verify).await
    }

    /// Works on a blocking thread, when it is its turn.
    async fn work<T: Send + 'static>(
        &self,
        origin: Origin,
        clock: &dyn Clock,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.turn(origin, clock).await?;
        let holding = move || {
            // Also for who does not wait for the outcome any more: the work goes on without them.
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(holding)
            .await
            .map_err(ApiError::internal)?
    }

    async fn turn(&self, origin: Origin, clock: &dyn Clock) -> Result<OwnedSemaphorePermit, ApiError> {
        // Nobody gets past those that wait: what becomes free is theirs.
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let _place = self.waiting.enter(origin).ok_or_else(|| {
            ApiError::rate_limited(
                "Too many sign-ins from your address are waiting. Try again shortly.",
                RETRY_AFTER,
            )
        })?;
        tokio::select! {
            biased;
            turn = Arc::clone(&self.turns).acquire_owned() => turn.map_err(ApiError::internal),
            () = clock.sleep(TURN_WAIT_MAX) => Err(ApiError::unavailable(
                "Too many people are signing in at the moment. Try again shortly.",
            )
            .with_retry_after(RETRY_AFTER)),
        }
    }
}

fn hash(password: &SecretString, salt: &[u8]) -> Result<String, ApiError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(ApiError::internal)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose_secret().as_bytes(), salt)
        .map(|hash| hash.to_string())
        .map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::pin::{Pin, pin};

    use keywheel_core::clock::Moment;

    use super::*;
    use crate::ambient::SystemEntropy;

    /// Waits are over at once.
    struct Impatient;

    impl Clock for Impatient {
        fn now(&self) -> Moment {
            Moment::from_millis(0)
        }

        fn monotonic(&self) -> Millis {
            Millis::new(0)
        }

        fn sleep(&self, _: Millis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::ready(()))
        }
    }

    /// Waits never end.
    struct Patient;

    impl Clock for Patient {
        fn now(&self) -> Moment {
            Moment::from_millis(0)
        }

        fn monotonic(&self) -> Millis {
            Millis::new(0)
        }

        fn sleep(&self, _: Millis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }

    fn origin(address: &str) -> Origin {
        address.parse::<IpAddr>().unwrap().into()
    }

    async fn all_turns(passwords: &Passwords) -> OwnedSemaphorePermit {
        let turns = u32::try_from(HASHES_MAX).unwrap();
        let all = Arc::clone(&passwords.turns).acquire_many_owned(turns);
        all.await.unwrap()
    }

    /// What a future that has begun came to so far.
    async fn so_far<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        tokio::select! {
            biased;
            done = &mut future => Some(done),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn one_origin_waits_with_two_hashes_and_leaves_room_for_others() {
        let passwords = Passwords::default();
        let busy = all_turns(&passwords).await;
        let verify = |address| passwords.verify("a".into(), None, origin(address), &Patient);
        let (mut first, mut other) = (pin!(verify("192.0.2.1")), pin!(verify("192.0.2.2")));
        {
            let mut second = pin!(verify("192.0.2.1"));
            assert!(so_far(first.as_mut()).await.is_none());
            assert!(so_far(second.as_mut()).await.is_none());
            let refusal = verify("192.0.2.1").await.unwrap_err();
            assert_eq!(refusal.status(), 429);
            assert!(so_far(other.as_mut()).await.is_none());
        }
        let mut third = pin!(verify("192.0.2.1"));
        assert!(so_far(third.as_mut()).await.is_none(), "who goes leaves a place");
        drop(busy);
        for waited in [first.await, third.await, other.await] {
            assert!(!waited.unwrap());
        }
        assert!(passwords.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::default();
        let kept = passwords
            .hash(
                "correct horse".into(),
                origin("192.0.2.1"),
                &Impatient,
                &SystemEntropy::open(),
            )
            .await
            .unwrap();
        let verify =
            |given: &str, kept| passwords.verify(given.into(), kept, origin("192.0.2.1"), &Impatient);
        assert!(verify("correct horse", Some(kept.clone())).await.unwrap());
        assert!(!verify("correct horsf", Some(kept)).await.unwrap());
        assert!(!verify("", None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_that_gets_no_turn_in_time_is_refused_with_when_to_try_again() {
        let passwords = Passwords::default();
        let busy = all_turns(&passwords).await;
        let verify = || passwords.verify("a".into(), None, origin("192.0.2.1"), &Impatient);
        let refusal = verify().await.unwrap_err();
        assert_eq!(refusal.status(), 503);
        drop(busy);
        assert!(!verify().await.unwrap());
    }
}
