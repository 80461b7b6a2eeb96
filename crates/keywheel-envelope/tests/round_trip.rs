//! What is sealed opens in its own place, under its own root key, unchanged; and in no other way.
#![allow(clippy::unwrap_used, clippy::panic)] // a helper of a test may fail the test

use keywheel_envelope::sealed::OVERHEAD_BYTES;
use keywheel_envelope::{Binding, Error, Keyring, RootKey, Sealed, open, open_text, seal};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

const PLACE: Binding<'static> = Binding {
    table: "secret_versions",
    row: "0198c1a2",
    field: "value",
};

fn keyring(byte: u8) -> Keyring {
    Keyring::new(&RootKey::from([byte; 32]), &[]).unwrap()
}

/// Opens bytes as they might come out of a damaged database.
fn open_bytes(keyring: &Keyring, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    let sealed = Sealed::from_bytes(bytes)?;
    open(keyring, &PLACE, &sealed).map(|plain| plain.expose_secret().to_vec())
}

proptest! {
    #[test]
    fn what_was_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..300), row in ".{0,40}") {
        let place = Binding { row: &row, ..PLACE };
        let keyring = keyring(1);
        let sealed = seal(&keyring, &place, &plain).unwrap();
        prop_assert_eq!(sealed.as_bytes().len(), plain.len() + OVERHEAD_BYTES);
        let stored = Sealed::from_bytes(sealed.into_bytes()).unwrap();
        let opened = open(&keyring, &place, &stored).unwrap();
        prop_assert_eq!(opened.expose_secret(), plain.as_slice());
    }

    #[test]
    fn bytes_of_any_kind_are_refused_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open_bytes(&keyring(1), bytes.clone()).is_err());
        prop_assert!(open_bytes(&keyring(1), [&[1], bytes.as_slice()].concat()).is_err());
    }
}

#[test]
fn any_changed_bit_is_noticed() {
    let keyring = keyring(1);
    let bytes = seal(&keyring, &PLACE, b"hunter2").unwrap().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = open_bytes(&keyring, changed).unwrap_err();
        match bit / 8 {
            0 => assert!(matches!(error, Error::UnknownFormat(_)), "bit {bit}: {error}"),
            1..=8 => assert!(matches!(error, Error::UnknownKey { .. }), "bit {bit}: {error}"),
            _ => assert_eq!(error, Error::Tampered, "bit {bit}"),
        }
    }
}

#[test]
fn cut_at_every_length_it_does_not_open() {
    let keyring = keyring(1);
    let bytes = seal(&keyring, &PLACE, b"hunter2").unwrap().into_bytes();
    for length in 0..bytes.len() {
        let error = open_bytes(&keyring, bytes[..length].to_vec()).unwrap_err();
        if length < OVERHEAD_BYTES {
            assert_eq!(error, Error::Malformed { length });
        } else {
            assert_eq!(error, Error::Tampered);
        }
    }
    assert_eq!(
        open_bytes(&keyring, [bytes.as_slice(), &[0]].concat()),
        Err(Error::Tampered)
    );
}

#[test]
fn copied_to_another_place_it_does_not_open() {
    let keyring = keyring(1);
    let sealed = seal(&keyring, &PLACE, b"hunter2").unwrap();
    for place in [
        Binding {
            table: "connections",
            ..PLACE
        },
        Binding {
            row: "0198c1a3",
            ..PLACE
        },
        Binding { row: "", ..PLACE },
        Binding {
            field: "comment",
            ..PLACE
        },
        Binding {
            row: "0198c1a",
            field: "2value",
            ..PLACE
        },
    ] {
        assert_eq!(
            open(&keyring, &place, &sealed).unwrap_err(),
            Error::Tampered,
            "{place:?}"
        );
    }
}

#[test]
fn the_halves_of_two_sealed_values_do_not_make_a_third() {
    let keyring = keyring(1);
    let [one, two] = [b"first", b"other"].map(|text| seal(&keyring, &PLACE, text).unwrap().into_bytes());
    let header_bytes = OVERHEAD_BYTES - 12 - 16;
    let spliced = [&one[..header_bytes], &two[header_bytes..]].concat();
    assert_eq!(open_bytes(&keyring, spliced), Err(Error::Tampered));
}

#[test]
fn under_another_root_key_it_does_not_open_and_the_needed_key_is_named() {
    let sealed = seal(&keyring(1), &PLACE, b"hunter2").unwrap();
    let key_id = keyring(1).current_id();
    assert_eq!(
        open(&keyring(2), &PLACE, &sealed).unwrap_err(),
        Error::UnknownKey { key_id }
    );
}

#[test]
fn equal_values_are_sealed_differently() {
    let keyring = keyring(1);
    let [one, two] = [(), ()].map(|()| seal(&keyring, &PLACE, b"same").unwrap().into_bytes());
    let differing = one.iter().zip(&two).filter(|(a, b)| a != b).count();
    assert!(differing > 80, "only {differing} bytes differ");
}

#[test]
fn a_data_key_made_ahead_seals_later() {
    let keyring = keyring(1);
    let ahead = keyring.data_key().unwrap();
    let sealed = ahead.seal(&PLACE, b"hunter2").unwrap();
    assert_eq!(
        open_text(&keyring, &PLACE, &sealed).unwrap().expose_secret(),
        "hunter2"
    );
}

#[test]
fn bytes_that_are_no_text_are_not_made_into_text() {
    let keyring = keyring(1);
    let sealed = seal(&keyring, &PLACE, &[0xC3, 0x28]).unwrap();
    assert_eq!(open_text(&keyring, &PLACE, &sealed).unwrap_err(), Error::NotText);
}

#[test]
fn after_a_change_of_the_root_key_old_values_open_and_can_be_moved() {
    let old = keyring(1);
    let both = Keyring::new(&RootKey::from([2; 32]), &[RootKey::from([1; 32])]).unwrap();
    let only_new = keyring(2);

    let sealed = seal(&old, &PLACE, b"hunter2").unwrap();
    assert_eq!(
        open_text(&both, &PLACE, &sealed).unwrap().expose_secret(),
        "hunter2"
    );

    let moved = both.rewrap(&sealed).unwrap().unwrap();
    assert_eq!(moved.key_id().unwrap(), only_new.current_id());
    assert_eq!(
        open_text(&only_new, &PLACE, &moved).unwrap().expose_secret(),
        "hunter2"
    );
    assert!(open(&old, &PLACE, &moved).is_err());

    assert_eq!(both.rewrap(&moved).unwrap(), None);
    assert!(matches!(only_new.rewrap(&sealed), Err(Error::UnknownKey { .. })));
}

#[test]
fn a_wrong_root_key_is_told_by_the_check_value() {
    let check = keyring(1).check_value().unwrap();
    assert_eq!(keyring(1).matches(&check), Ok(()));

    let refused = keyring(2).matches(&check).unwrap_err();
    let (sealed_under, given) = (keyring(1).current_id(), keyring(2).current_id());
    assert_eq!(refused, Error::WrongRootKey { sealed_under, given });
    let message = refused.to_string();
    assert!(
        message.starts_with("wrong root key") && message.contains(&sealed_under.to_string()),
        "{message}"
    );

    let both = Keyring::new(&RootKey::from([2; 32]), &[RootKey::from([1; 32])]).unwrap();
    assert_eq!(both.matches(&check), Ok(()));
}

#[test]
fn derived_keys_differ_by_label_and_by_root_key_and_are_stable() {
    let derive = |byte, label: &str| {
        let keyring = keyring(byte);
        *keyring
            .derive(keyring.current_id(), label)
            .unwrap()
            .expose_secret()
    };
    assert_eq!(derive(1, "access tokens"), derive(1, "access tokens"));
    assert_ne!(derive(1, "access tokens"), derive(1, "client secrets"));
    assert_ne!(derive(1, "access tokens"), derive(2, "access tokens"));
}
