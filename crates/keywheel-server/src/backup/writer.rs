//! Makes the file of a backup: whole and read back, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use keywheel_envelope::{Keyring, seal};
use keywheel_store::Dump;

use super::reader::Reader;
use super::{Contents, FORMAT, Header, ID_BYTES, Kind, MAGIC, Place, rows};
use crate::ambient::{Clock, Entropy};

/// What was written.
pub struct Written {
    /// What the backup says of itself.
    pub contents: Contents,
    /// Length of the file.
    pub bytes: u64,
}

/// Writes what a dump gives to a new file, and reads it back. `each` is told of the rows of each step.
pub async fn write(
    path: &Path,
    dump: &mut dyn Dump,
    keyring: &Keyring,
    (clock, entropy): (&dyn Clock, &dyn Entropy),
    mut each: impl FnMut(u64),
) -> anyhow::Result<Written> {
    anyhow::ensure!(
        !path.exists(),
        "{} exists; a backup never replaces a file",
        path.display()
    );
    let organization = dump.store().organization().await?;
    let header = Header {
        schema: dump.schema(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        organization: organization.map(|organization| organization.id.to_string()),
        taken_at: clock.now().as_millis(),
    };
    let partial = Partial::beside(path, entropy.bytes());
    let mut frames = Frames::begin(&partial.0, keyring, entropy.bytes())
        .with_context(|| format!("cannot write {}", partial.0.display()))?;
    frames.put(Kind::Header, &serde_json::to_vec(&header)?)?;
    let mut contents = Contents::default();
    while let Some(some) = dump.next().await.context("cannot read the database")? {
        contents.count(&some);
        let bytes = rows::to_bytes(&some).context("rows that are too large for a backup")?;
        frames.put(Kind::Rows, &bytes)?;
        each(some.len());
    }
    let head = dump.store().audit_chain().await?.head;
    contents.audit_head = (head.seq, hex::encode(head.hash));
    frames.put(Kind::End, &serde_json::to_vec(&contents)?)?;
    let bytes = frames.end().context("cannot complete the file")?;

    let read = Reader::open(&partial.0, keyring)?.read_all(&mut each);
    let is_same = read.context("the file that was just written cannot be read back")? == contents;
    anyhow::ensure!(
        is_same,
        "the file that was just written holds something else; is its disk sound?"
    );
    partial
        .become_file(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Written { contents, bytes })
}

/// A file that is not whole yet. Dropped, it is gone.
struct Partial(PathBuf);

impl Partial {
    /// By a name that nobody can have taken, or can have put a link at.
    fn beside(path: &Path, random: [u8; 8]) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.partial", hex::encode(random)));
        Self(PathBuf::from(name))
    }

    /// Gives it its name, unless somebody else has taken that meanwhile. Once this returns, it is on disk.
    fn become_file(&self, path: &Path) -> std::io::Result<()> {
        if path.exists() {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.0, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After it was given its name there is nothing any more.
        let _ = fs::remove_file(&self.0);
    }
}

/// A file that gets frame after frame.
struct Frames<'a> {
    out: BufWriter<File>,
    keyring: &'a Keyring,
    place: Place,
    bytes: u64,
}

impl<'a> Frames<'a> {
    fn begin(path: &Path, keyring: &'a Keyring, id: [u8; ID_BYTES]) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path)?;
        let mut frames = Self {
            out: BufWriter::new(file),
            keyring,
            place: Place::first(id),
            bytes: 0,
        };
        frames.write(MAGIC)?;
        frames.write(&[FORMAT])?;
        frames.write(&id)?;
        Ok(frames)
    }

    fn put(&mut self, kind: Kind, plain: &[u8]) -> anyhow::Result<()> {
        let keyring = self.keyring;
        let sealed = self.place.take(kind, |place| seal(keyring, place, plain))?;
        let length =
            u32::try_from(sealed.as_bytes().len()).context("rows that are too large for a backup")?;
        self.write(&[kind.byte()])?;
        self.write(&length.to_be_bytes())?;
        self.write(sealed.as_bytes())?;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// On disk once this returns; its length.
    fn end(mut self) -> std::io::Result<u64> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        Ok(self.bytes)
    }
}
