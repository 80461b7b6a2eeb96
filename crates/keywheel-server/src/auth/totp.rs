//! One-time codes by time (RFC 6238), as the apps for them make them: HMAC-SHA1, 30 seconds, six digits.

use aws_lc_rs::{constant_time, hmac};
use keywheel_core::clock::Moment;

/// Bytes of a secret: as long as the digest (RFC 4226, section 4, R6).
pub const SECRET_BYTES: usize = 20;
/// How long a code is shown.
const STEP_SECS: i64 = 30;
/// Six digits.
const CODES: u32 = 1_000_000;
/// How many steps the clock of a phone may be off, either way (RFC 6238, section 5.2 advises one).
const STEPS_OFF: i64 = 1;
/// Who the code is for, as apps show it.
const ISSUER: &str = "Keywheel";

/// The step whose code this is: one that is current by some clock that is about right.
pub fn matching_step(secret: &[u8], code: &str, now: Moment) -> Option<i64> {
    let current = now.as_secs().div_euclid(STEP_SECS);
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let is_of = |step: &i64| {
        let expected = code_of(secret, *step);
        constant_time::verify_slices_are_equal(expected.as_bytes(), code.as_bytes()).is_ok()
    };
    (current - STEPS_OFF..=current + STEPS_OFF).find(is_of)
}

/// The code of a step (RFC 4226, section 5.3).
fn code_of(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let digest = hmac::sign(&key, &step.to_be_bytes());
    let digest = digest.as_ref();
    let at = usize::from(digest.last().copied().unwrap_or_default() & 0xf);
    let part = digest.iter().skip(at).take(4);
    let number = part.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % CODES)
}

/// What apps scan.
pub fn uri(email: &str, secret: &str) -> String {
    let label: String = form_urlencoded::byte_serialize(email.as_bytes()).collect();
    // A label is a path, where a plus is itself.
    let label = label.replace('+', "%20");
    format!(
        "otpauth://totp/{ISSUER}:{label}?secret={secret}&issuer={ISSUER}&algorithm=SHA1&digits=6&period=30"
    )
}

/// A secret as people type it (RFC 4648, section 6). Its 160 bits need no padding.
pub fn base32(bytes: &[u8; SECRET_BYTES]) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for group in bytes.chunks(5) {
        let bits = group
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for digit in (0..8).rev() {
            let digit = usize::try_from((bits >> (digit * 5)) & 0x1f).unwrap_or_default();
            text.push(char::from(DIGITS[digit]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8; SECRET_BYTES] = b"12345678901234567890";

    fn at(secs: i64) -> Moment {
        Moment::from_millis(secs * 1_000)
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, without their first two digits.
        for (secs, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(matching_step(SECRET, code, at(secs)), Some(secs / 30), "{code}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_or_late_and_not_two() {
        let code = code_of(SECRET, 100);
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        for (step, good) in [(98, false), (99, true), (100, true), (101, true), (102, false)] {
            for code in [&code, &spaced] {
                let found = matching_step(SECRET, code, at(step * 30));
                assert_eq!(found, good.then_some(100), "{step}");
            }
        }
        for wrong in ["", "12345", "1234567", "abcdef", "-12345"] {
            assert_eq!(matching_step(SECRET, wrong, at(3_000)), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_typed_in_the_usual_alphabet_and_scanned_with_who_they_are_for() {
        let text = base32(SECRET);
        assert_eq!(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = uri("a+b@example.com", &text);
        assert!(
            uri.starts_with("otpauth://totp/Keywheel:a%2Bb%40example.com?secret=GEZD"),
            "{uri}"
        );
    }
}
