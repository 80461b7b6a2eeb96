//! How long to wait after a failure: exponential, with full jitter, capped (rule D16 of the rotation contract).

use crate::clock::Millis;

/// The wait before attempt number `failures + 1`. `entropy` picks a point between none and the bound, so that
/// many rotations that failed together do not come back together.
pub fn after_failures(failures: u32, first: Millis, cap: Millis, entropy: u64) -> Millis {
    let doubled = first.times(1_i64.checked_shl(failures.min(32)).unwrap_or(i64::MAX));
    let bound = u64::try_from(doubled.min(cap).get()).unwrap_or(0);
    let point = if bound == u64::MAX {
        entropy
    } else {
        entropy % (bound + 1)
    };
    Millis::new(i64::try_from(point).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Millis = Millis::from_secs(60);
    const CAP: Millis = Millis::from_secs(3_600);

    #[test]
    fn the_first_retry_comes_within_a_minute() {
        for entropy in [0, 1, 59_999, 60_000, 60_001, u64::MAX] {
            assert!(after_failures(0, FIRST, CAP, entropy) <= FIRST);
        }
        assert_eq!(
            after_failures(0, FIRST, CAP, 60_000),
            FIRST,
            "the bound itself is possible"
        );
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        assert_eq!(after_failures(1, FIRST, CAP, 120_000), Millis::from_secs(120));
        assert_eq!(after_failures(5, FIRST, CAP, 1_920_000), Millis::from_secs(1_920));
        for failures in [6, 40, u32::MAX] {
            assert_eq!(after_failures(failures, FIRST, CAP, 3_600_000), CAP);
            assert!(after_failures(failures, FIRST, CAP, u64::MAX) <= CAP);
        }
    }
}
