//! Time that stands still and randomness that repeats.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use keywheel_core::clock::{Millis, Moment};
use keywheel_server::ambient::{Clock, Entropy, SystemClock};

/// When every test begins.
const BEGIN: Moment = Moment::from_millis(1_773_135_000_000);

/// Waits of a run are shorter than this, by the default settings; the heartbeat of a lease waits longer.
const WAIT_OF_A_RUN_MAX: Millis = Millis::from_secs(10);

/// How long counted reads wait to be written; no run waits for just as long. It never passes by itself: a test asks for
/// what it wants to see.
const WAIT_OF_THE_AUDIT_LOG: Millis = Millis::from_secs(1);

/// A clock that is moved by hand.
pub struct TestClock {
    monotonic: AtomicI64,
    ahead: AtomicI64,
    moved_by_waits: AtomicBool,
}

impl TestClock {
    pub fn start() -> Self {
        Self {
            monotonic: AtomicI64::new(0),
            ahead: AtomicI64::new(0),
            moved_by_waits: AtomicBool::new(false),
        }
    }

    pub fn pass(&self, length: Millis) {
        self.monotonic.fetch_add(length.get(), Ordering::SeqCst);
    }

    /// Sets the wall clock, which was right, ahead of the world by so much; zero sets it right again.
    pub fn set_ahead(&self, ahead: Millis) {
        self.ahead.store(ahead.get(), Ordering::SeqCst);
    }

    /// The time of the world, which is AWS's.
    pub fn right(&self) -> Moment {
        BEGIN + self.monotonic()
    }

    /// From now on the waits of a run move the clock and take no time. For one run at a time, without the schedule.
    pub fn let_waits_pass(&self) {
        self.moved_by_waits.store(true, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        self.right() + Millis::new(self.ahead.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Millis {
        Millis::new(self.monotonic.load(Ordering::SeqCst))
    }

    fn sleep(&self, length: Millis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        if length == WAIT_OF_THE_AUDIT_LOG {
            return Box::pin(std::future::pending());
        }
        if self.moved_by_waits.load(Ordering::SeqCst) && length <= WAIT_OF_A_RUN_MAX {
            self.pass(length);
            return Box::pin(std::future::ready(()));
        }
        Box::pin(tokio::time::sleep(length.as_std()))
    }
}

/// The time of this machine, and what a test lets pass on top.
pub struct RealTime {
    system: SystemClock,
    passed: Arc<TestClock>,
}

impl RealTime {
    pub fn with(passed: Arc<TestClock>) -> Self {
        Self {
            system: SystemClock::start(),
            passed,
        }
    }
}

impl Clock for RealTime {
    fn now(&self) -> Moment {
        self.system.now() + self.passed.monotonic()
    }

    fn monotonic(&self) -> Millis {
        self.system.monotonic() + self.passed.monotonic()
    }
}

/// The `SplitMix64` sequence (Steele, Lea, Flood 2014) from a fixed seed.
pub struct SeededEntropy {
    state: AtomicU64,
    turn: Mutex<()>,
}

impl SeededEntropy {
    pub fn new() -> Self {
        Self {
            state: AtomicU64::new(42),
            turn: Mutex::new(()),
        }
    }

    fn next(&self) -> u64 {
        let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let _turn = self.turn.lock().unwrap();
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}
