//! What earlier versions sealed still opens. A sample is never edited: a new format gets a new one beside it.
#![allow(clippy::unwrap_used)] // a helper of a test may fail the test

use keywheel_envelope::{Binding, Keyring, RootKey, Sealed, open_text};
use secrecy::ExposeSecret as _;

/// Root key of all samples.
const ROOT_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PLACE: Binding<'static> = Binding {
    table: "secret_versions",
    row: "01939ec1-7c00-7000-8000-000000000001",
    field: "value",
};
const PLAIN: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Made from the table on the crate's front page with Python's `cryptography`, not with this crate.
const FORMAT_1: &str = concat!(
    "0172c4907806e218a40229e18692ce9a87d6917eb3bd2e5816e7e2b1fcc19b5841123221966d479628337e37e1c36ed3",
    "a89663d3c5fdef177f89d55b318a90014d1a901fbf07eaa19aa46ab1b91c9f3aab9d39c94d482b58c46ed54834c05796",
    "a1a11366f9f5acfce87285807f31818918c3b6f1a0b0d6068dd33f17d51d023350d511ec6c596a0577",
);
const CHECK_VALUE_1: &str = concat!(
    "0172c4907806e218a46a193986913a15c3037d9efa428dad2161dc569858a16fddefcd4b80666101484472862cbee390",
    "771ab6c68b163e8319c48d24864456c45c9f83d666b3cf2f5293996290f89bbe312c5ecb5424ae3be177cf2b2c83438e",
    "3b59bd29151cab6eb6c420a4cdd8c1bbfc61",
);

fn keyring() -> Keyring {
    Keyring::new(&RootKey::from_text(ROOT_KEY).unwrap(), &[]).unwrap()
}

#[test]
fn format_1_opens() {
    let sealed = Sealed::from_bytes(hex::decode(FORMAT_1).unwrap()).unwrap();
    assert_eq!(
        open_text(&keyring(), &PLACE, &sealed).unwrap().expose_secret(),
        PLAIN
    );
}

#[test]
fn the_check_value_of_a_first_database_still_matches() {
    let check = Sealed::from_bytes(hex::decode(CHECK_VALUE_1).unwrap()).unwrap();
    keyring().matches(&check).unwrap();
}

#[test]
fn key_ids_and_derived_keys_are_what_they_were() {
    assert_eq!(keyring().current_id().to_string(), "72c4907806e218a4");
    let key = keyring().derive(keyring().current_id(), "access tokens").unwrap();
    assert_eq!(
        hex::encode(key.expose_secret()),
        "ae7d85c6d53e58edd94892704d1bdb902bd015d94e34ffd78aa50ec3cb457451"
    );
}
