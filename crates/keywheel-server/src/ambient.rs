//! Time and randomness: the only file that asks the system for either. Everything else gets them from the
//! traits here, so that a test can hold the clock still and repeat the random bytes.

use std::pin::Pin;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use keywheel_core::clock::{Millis, Moment};
use rustix::time::{ClockId, clock_gettime};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time of day in the world. It may jump.
    fn now(&self) -> Moment;

    /// Time since some fixed point; it never goes back, and goes on while the machine sleeps.
    fn monotonic(&self) -> Millis;

    /// Lets time pass. A clock that is moved by a test lets it pass at once.
    fn sleep(&self, length: Millis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(length.as_std()))
    }
}

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with bytes that nobody can foretell.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The clocks of this machine.
pub struct SystemClock {
    started: Millis,
}

impl SystemClock {
    /// Starts the monotonic clock.
    pub fn start() -> Self {
        Self { started: uptime() }
    }
}

impl SystemEntropy {
    /// `N` random bytes.
    pub fn fresh<const N: usize>(&self) -> [u8; N] {
        (self as &dyn Entropy).bytes()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that asks the system"
        )]
        let now = std::time::SystemTime::now();
        // A clock before 1970 counts as 1970.
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = Moment::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        #[cfg(feature = "fault-points")]
        let now = now + ahead();
        now
    }

    fn monotonic(&self) -> Millis {
        uptime() - self.started
    }
}

/// Time since the machine started. On Linux `Instant` leaves out what the machine slept, in which AWS went on and other
/// nodes took leases over.
fn uptime() -> Millis {
    #[cfg(target_os = "linux")]
    const UPTIME: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const UPTIME: ClockId = ClockId::Monotonic;
    let since = Duration::try_from(clock_gettime(UPTIME)).unwrap_or_default();
    Millis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How far a test wants the wall clock to be ahead of this machine's. The release that people run has no such variable.
#[cfg(feature = "fault-points")]
fn ahead() -> Millis {
    let wanted = std::env::var("KEYWHEEL_FAULT_CLOCK_AHEAD_MS").ok();
    Millis::new(wanted.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// The generator of aws-lc, seeded by the operating system.
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Opens the generator.
    pub fn open() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    #[expect(
        clippy::expect_used,
        reason = "without random bytes no key and no id can be made: nothing can go on"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer).expect("the system's random generator works");
    }
}
