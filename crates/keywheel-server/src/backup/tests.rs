//! What can happen to a file, and that it is found.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keywheel_core::rotation::policy::RetirementDefault;
use keywheel_envelope::{Keyring, RootKey};
use keywheel_store::setup::setting;
use keywheel_store::sql::testing;
use keywheel_store::{Store, StoreError};
use tempfile::TempDir;

use super::reader::{Reader, Unreadable};
use super::{Contents, ID_BYTES, MAGIC, writer};
use crate::ambient::{SystemClock, SystemEntropy};
use crate::audit::chain::ChainKey;
use crate::transfer::{Loaded, fill};
use crate::vault::Vault;

/// Up to the first frame.
const FRONT: usize = MAGIC.len() + 1 + ID_BYTES;

fn keyring(current: u8, more: &[u8]) -> Arc<Keyring> {
    let more: Vec<RootKey> = more.iter().map(|byte| RootKey::from([*byte; 32])).collect();
    Arc::new(Keyring::new(&RootKey::from([current; 32]), &more).unwrap())
}

/// A folder with a database that a server has used, and a backup of it.
struct Stage {
    folder: TempDir,
    keyring: Arc<Keyring>,
}

impl Stage {
    async fn new() -> Self {
        let stage = Self {
            folder: tempfile::tempdir().unwrap(),
            keyring: keyring(1, &[]),
        };
        stage
            .fill(keywheel_store::open(&stage.url("source")).await.unwrap().as_ref())
            .await;
        stage.write("backup").await;
        stage
    }

    /// What every server makes at its first start.
    async fn fill(&self, store: &dyn Store) {
        let check = self.keyring.check_value().unwrap();
        store
            .keep_setting(setting::ROOT_KEY_CHECK, check.as_bytes())
            .await
            .unwrap();
        let vault = Vault::new(Arc::clone(&self.keyring));
        ChainKey::of_instance(store, &vault, &SystemEntropy::open())
            .await
            .unwrap();
        // Beside what is sealed there is what is not.
        let value = serde_json::to_vec(&RetirementDefault::default()).unwrap();
        store
            .replace_setting(setting::RETIREMENT_DEFAULT, &value)
            .await
            .unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite://{}", self.path(name).display())
    }

    async fn try_write(&self, name: &str) -> anyhow::Result<Contents> {
        let mut dump = keywheel_store::open_to_dump(&self.url("source"), false).await?;
        let ambient = (&SystemClock::start() as _, &SystemEntropy::open() as _);
        let written = writer::write(&self.path(name), dump.as_mut(), &self.keyring, ambient, |_| {}).await?;
        assert_eq!(written.bytes, self.path(name).metadata()?.len());
        Ok(written.contents)
    }

    async fn write(&self, name: &str) -> Contents {
        self.try_write(name).await.unwrap()
    }

    /// The backup, cut into its front and its frames.
    fn frames(&self, name: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
        let bytes = std::fs::read(self.path(name)).unwrap();
        let (front, mut rest) = bytes.split_at(FRONT);
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let length = 5 + u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
            frames.push(rest[..length].to_vec());
            rest = &rest[length..];
        }
        (front.to_vec(), frames)
    }

    fn read(&self, name: &str) -> Result<Contents, Unreadable> {
        read(&self.path(name), &self.keyring)
    }

    /// What a file of these frames is read as.
    fn read_frames(&self, front: &[u8], frames: &[Vec<u8>]) -> Result<Contents, Unreadable> {
        std::fs::write(self.path("changed"), [front, &frames.concat()].concat()).unwrap();
        self.read("changed")
    }

    async fn restore(&self, backup: &str, to: &str) -> anyhow::Result<Loaded> {
        let path = self.path(backup);
        let mut reader = Reader::open(&path, &self.keyring)?;
        let schema = reader.header().schema;
        fill(&self.url(to), schema, &self.keyring, async || {
            Ok(reader.next_rows()?)
        })
        .await
    }
}

fn read(path: &Path, keyring: &Keyring) -> Result<Contents, Unreadable> {
    match Reader::open(path, keyring) {
        Ok(reader) => reader.read_all(|_| {}),
        Err(fault) => Err(fault.downcast().unwrap()),
    }
}

async fn dump(url: &str) -> Vec<keywheel_store::dump::Rows> {
    let mut dump = keywheel_store::open_to_dump(url, false).await.unwrap();
    let mut all = Vec::new();
    while let Some(rows) = dump.next().await.unwrap() {
        all.push(rows);
    }
    all
}

#[tokio::test]
async fn a_backup_gives_back_what_the_database_held() {
    let stage = Stage::new().await;
    let contents = stage.read("backup").unwrap();
    assert_eq!(contents.rows["instance_settings"], 3);
    assert_eq!(
        contents.root_keys,
        [stage.keyring.current_id().to_string()].into()
    );
    let loaded = stage.restore("backup", "target").await.unwrap();
    assert_eq!(loaded.rows, contents.total());
    assert_eq!(dump(&stage.url("source")).await, dump(&stage.url("target")).await);
}

#[tokio::test]
async fn a_backup_is_for_its_owner_only_and_replaces_nothing() {
    let stage = Stage::new().await;
    let mode = stage.path("backup").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(stage.path("notes"), "notes").unwrap();
    let fault = stage.try_write("notes").await.unwrap_err();
    assert!(fault.to_string().contains("never replaces"), "{fault:#}");
    assert_eq!(std::fs::read(stage.path("notes")).unwrap(), b"notes");
    let names = std::fs::read_dir(stage.folder.path()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.contains("partial")));
}

#[tokio::test]
async fn a_changed_byte_is_found_wherever_it_is() {
    let stage = Stage::new().await;
    let good = std::fs::read(stage.path("backup")).unwrap();
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        std::fs::write(stage.path("changed"), &bytes).unwrap();
        stage.read("changed").expect_err(&format!("byte {place}"));
    }
}

#[tokio::test]
async fn frames_that_are_left_out_moved_doubled_or_cut_off_are_found() {
    let stage = Stage::new().await;
    let (front, frames) = stage.frames("backup");
    assert!(frames.len() >= 5, "header, three tables, end");
    assert!(stage.read_frames(&front, &frames).is_ok());
    for place in 0..frames.len() {
        let cut = stage.read_frames(&front, &frames[..place]);
        assert!(
            matches!(cut, Err(Unreadable::CutOff(at)) if at == place as u64),
            "{cut:?}"
        );
        let mut lacking = frames.clone();
        lacking.remove(place);
        stage.read_frames(&front, &lacking).unwrap_err();
        let mut doubled = frames.clone();
        doubled.insert(place, frames[place].clone());
        stage.read_frames(&front, &doubled).unwrap_err();
        let mut shortened = frames.clone();
        shortened[place].pop();
        stage.read_frames(&front, &shortened).unwrap_err();
        for other in 0..place {
            let mut moved = frames.clone();
            moved.swap(place, other);
            stage.read_frames(&front, &moved).unwrap_err();
        }
    }
    let more = [frames, vec![b"more".to_vec()]].concat();
    let longer = stage.read_frames(&front, &more);
    assert!(matches!(longer, Err(Unreadable::Damaged(_))), "{longer:?}");
}

#[tokio::test]
async fn frames_of_another_backup_of_the_same_database_are_found() {
    let stage = Stage::new().await;
    stage.write("other").await;
    let (front, frames) = stage.frames("backup");
    let (_, others) = stage.frames("other");
    assert_eq!(frames.len(), others.len());
    for place in 0..frames.len() {
        let mut mixed = frames.clone();
        mixed[place].clone_from(&others[place]);
        let read = stage.read_frames(&front, &mixed);
        assert!(matches!(read, Err(Unreadable::Damaged(_))), "{place}: {read:?}");
    }
}

#[tokio::test]
async fn a_file_of_another_kind_or_of_a_later_version_is_named_as_that() {
    let stage = Stage::new().await;
    std::fs::write(stage.path("changed"), "short").unwrap();
    assert!(matches!(stage.read("changed"), Err(Unreadable::NoBackup)));
    std::fs::write(stage.path("changed"), [b'x'; 100]).unwrap();
    assert!(matches!(stage.read("changed"), Err(Unreadable::NoBackup)));
    let (mut front, frames) = stage.frames("backup");
    front[MAGIC.len()] = 2;
    assert!(matches!(
        stage.read_frames(&front, &frames),
        Err(Unreadable::LaterFormat(2))
    ));
}

#[tokio::test]
async fn without_a_root_key_that_is_needed_a_backup_is_refused_by_the_name_of_that() {
    let mut stage = Stage::new().await;
    let first = stage.keyring.current_id().to_string();
    let refused = read(&stage.path("backup"), &keyring(2, &[]));
    assert!(
        matches!(&refused, Err(Unreadable::RootKey(id)) if *id == first),
        "{refused:?}"
    );
    // One that was taken under a new root key, while values are still under the old one, needs both.
    stage.keyring = keyring(2, &[1]);
    stage.write("between").await;
    assert!(stage.read("between").is_ok());
    let refused = read(&stage.path("between"), &keyring(2, &[]));
    assert!(
        matches!(&refused, Err(Unreadable::RootKey(id)) if *id == first),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_damaged_backup_leaves_an_empty_database() {
    let stage = Stage::new().await;
    let (front, mut frames) = stage.frames("backup");
    let last = frames.len() - 1;
    frames[last][20] ^= 1;
    stage.read_frames(&front, &frames).unwrap_err();
    stage.restore("changed", "target").await.unwrap_err();
    stage.restore("backup", "target").await.unwrap();
    let again = stage.restore("backup", "target").await.unwrap_err();
    let cause = again.downcast_ref::<StoreError>();
    assert!(matches!(cause, Some(StoreError::NotEmpty { .. })), "{again:#}");
}

#[tokio::test]
async fn a_database_whose_audit_log_does_not_hold_is_not_restored() {
    let stage = Stage::new().await;
    let forged = |_: i64, _: &[u8; 32], _: &str| [9; 32];
    let record = keywheel_store::audit::NewAuditRecord {
        entry: keywheel_core::ids::AuditEntryId::new(keywheel_core::clock::Moment::from_millis(1), &[1; 10]),
        part: keywheel_store::audit::AuditPart::Whole,
        at: keywheel_core::clock::Moment::from_millis(1),
        body: "{}".to_owned(),
        marks: None,
    };
    let source = keywheel_store::open(&stage.url("source")).await.unwrap();
    source.append_audit(&[record], &forged).await.unwrap();
    stage.write("forged").await;
    let refused = stage.restore("forged", "target").await.unwrap_err();
    assert!(
        format!("{refused:#}").contains("audit log does not hold"),
        "{refused:#}"
    );
    stage.restore("backup", "target").await.unwrap();
}

/// The oldest version whose tables this test's server fills.
const OLDER: i64 = 8;

#[tokio::test]
async fn a_backup_of_an_older_schema_is_brought_up_to_date() {
    let stage = Stage::new().await;
    std::fs::remove_file(stage.path("source")).unwrap();
    let old = testing::open_at(&stage.url("source"), OLDER).await.unwrap();
    stage.fill(old.as_ref()).await;
    drop(old);
    stage.write("older").await;
    assert_eq!(
        Reader::open(&stage.path("older"), &stage.keyring)
            .unwrap()
            .header()
            .schema,
        OLDER
    );
    stage.restore("older", "target").await.unwrap();
    let schema = keywheel_store::schema_of(&stage.url("target")).await.unwrap();
    assert_eq!(schema.found, Some(schema.newest()));
    // A database that is newer already cannot go back.
    drop(keywheel_store::open(&stage.url("newer")).await.unwrap());
    let refused = stage.restore("older", "newer").await.unwrap_err();
    assert!(format!("{refused:#}").contains("schema version"), "{refused:#}");
}
