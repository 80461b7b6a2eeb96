//! Slugs made from names.

use keywheel_core::names::Slug;

use crate::ambient::Entropy;

/// Characters of the random end, which makes equal names differ.
const SUFFIX_CHARS: usize = 5;
/// Characters that are kept of the name.
const NAME_CHARS_MAX: usize = 40;

/// A slug that starts like the name and ends at random.
pub(super) fn slug_for(name: &str, entropy: &dyn Entropy) -> Slug {
    let lowered = name.to_lowercase();
    let words = lowered.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    let joined = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let kept: String = joined.chars().take(NAME_CHARS_MAX).collect();
    let suffix: String = hex::encode(entropy.bytes::<SUFFIX_CHARS>())
        .chars()
        .take(SUFFIX_CHARS)
        .collect();
    let text = format!("{}-{suffix}", kept.trim_matches('-'));
    Slug::from_stored(text.trim_start_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0x77);
        }
    }

    #[test]
    fn any_name_gives_a_slug() {
        for (name, slug) in [
            ("My App", "my-app-77777"),
            ("  --Ü--  ", "77777"),
            ("a__b", "a-b-77777"),
        ] {
            let made = slug_for(name, &Sevens);
            assert_eq!(made.as_str(), slug);
            assert_eq!(Slug::parse("slug", made.as_str()).unwrap(), made);
        }
        assert!(Slug::parse("slug", slug_for(&"x ".repeat(64), &Sevens).as_str()).is_ok());
    }
}
