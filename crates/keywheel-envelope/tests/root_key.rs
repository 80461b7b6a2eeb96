//! Where root keys come from, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic)] // a helper of a test may fail the test

use std::fs;
use std::path::PathBuf;

use keywheel_envelope::{Binding, Keyring, RootKey, RootKeyError, open, seal};
use tempfile::TempDir;

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn bytes() -> [u8; 32] {
    std::array::from_fn(|i| u8::try_from(i).unwrap())
}

fn id(key: &RootKey) -> String {
    Keyring::new(key, &[]).unwrap().current_id().to_string()
}

fn file(folder: &TempDir, text: &str, mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("root.key");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn hex_and_base64_and_a_file_with_a_line_end_are_the_same_key() {
    let folder = TempDir::new().unwrap();
    let expected = id(&RootKey::from(bytes()));
    for text in [
        HEX,
        &HEX.to_uppercase(),
        BASE64,
        BASE64.trim_end_matches('='),
        &format!(" {BASE64}\n"),
    ] {
        assert_eq!(id(&RootKey::from_text(text).unwrap()), expected, "{text:?}");
        assert_eq!(
            id(&RootKey::from_file(&file(&folder, text, 0o600)).unwrap()),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn other_texts_are_refused_with_what_was_expected_and_without_the_text() {
    let almost_hex = HEX.replace('f', "g");
    let long = HEX.repeat(100);
    for text in [
        "",
        "hunter2",
        &HEX[1..],
        &almost_hex,
        &BASE64[4..],
        "ÄÖÜ",
        &format!("{BASE64}A"),
        &long,
    ] {
        let message = RootKey::from_text(text).unwrap_err().to_string();
        let chars = text.chars().count();
        assert_eq!(
            message,
            format!(
                "a root key is 32 bytes, as 64 hex digits or as base64 (44 characters); \
                 this text has {chars} characters"
            )
        );
    }
}

#[test]
fn a_generated_key_reads_back_from_its_new_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    let key = RootKey::generate().unwrap();
    key.write_new_file(&path).unwrap();
    assert_eq!(id(&RootKey::from_file(&path).unwrap()), id(&key));
    assert_ne!(
        id(&RootKey::generate().unwrap()),
        id(&RootKey::generate().unwrap())
    );
}

#[test]
fn the_new_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    RootKey::generate().unwrap().write_new_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_existing_file_is_never_replaced() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "something dear", 0o600);
    let refused = RootKey::generate().unwrap().write_new_file(&path);
    assert!(matches!(refused, Err(RootKeyError::Write { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "something dear");
}

#[test]
fn a_file_open_to_every_user_is_refused_with_the_command_that_mends_it() {
    let folder = TempDir::new().unwrap();
    for mode in [0o604, 0o602, 0o644, 0o666] {
        let path = file(&folder, HEX, mode);
        let message = RootKey::from_file(&path).unwrap_err().to_string();
        assert!(message.contains(&format!("mode {mode:o}")), "{message}");
        assert!(
            message.ends_with(&format!("run: chmod 600 {}", path.display())),
            "{message}"
        );
    }
    for mode in [0o400, 0o600, 0o440] {
        assert!(RootKey::from_file(&file(&folder, HEX, mode)).is_ok(), "{mode:o}");
        fs::remove_file(folder.path().join("root.key")).unwrap();
    }
}

#[test]
fn a_missing_file_and_a_file_of_something_else_are_named() {
    let folder = TempDir::new().unwrap();
    let missing = RootKey::from_file(&folder.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("cannot read the root key file"), "{missing}");
    assert!(missing.contains("none"), "{missing}");

    let other = RootKey::from_file(&file(&folder, "[settings]", 0o600))
        .unwrap_err()
        .to_string();
    assert!(other.contains("root.key: a root key is 32 bytes"), "{other}");
}

#[test]
fn no_debug_text_shows_a_secret() {
    let place = Binding {
        table: "t",
        row: "r",
        field: "f",
    };
    let keyring = Keyring::new(&RootKey::from(bytes()), &[RootKey::from([0xEE; 32])]).unwrap();
    let sealed = seal(&keyring, &place, b"\x07\x07\x07\x07hunter2").unwrap();
    let texts = [
        format!("{:?}", RootKey::from(bytes())),
        format!("{keyring:?}"),
        format!("{:?}", keyring.derive(keyring.current_id(), "tokens").unwrap()),
        format!("{:?}", keyring.data_key().unwrap()),
        format!("{:?}", open(&keyring, &place, &sealed).unwrap()),
    ];
    for text in texts {
        assert!(text.contains("REDACTED"), "{text}");
        for part in [
            "hunter2", "104, 117", "7, 7", "0, 1, 2", "000102", "eeee", "238, 238", "AAEC",
        ] {
            assert!(!text.contains(part), "{text}");
        }
    }
}
