//! Reads the file of a backup, and refuses what is not as it was written.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::Context;
use keywheel_envelope::{Error as EnvelopeError, Keyring, Plain, Sealed, open};
use keywheel_store::dump::Rows;
use secrecy::ExposeSecret;

use super::{Contents, FORMAT, Header, ID_BYTES, Kind, MAGIC, Place, rows};

/// Why a file cannot be read as a backup.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It does not begin as one.
    #[error("the file is no backup of Keywheel")]
    NoBackup,
    /// A later version of the program wrote it.
    #[error("the backup has format {0}, which only a later version of Keywheel knows")]
    LaterFormat(u8),
    /// It ends before its end.
    #[error("the backup is cut off after {0} frames")]
    CutOff(u64),
    /// Something was changed, left out, moved, or taken from another backup.
    #[error("frame {0} of the backup was changed, or does not belong there")]
    Damaged(u64),
    /// The rows are not those that its end counts.
    #[error("the backup does not hold the rows that its end counts")]
    Miscounted,
    /// A root key is needed for it, or for the values in it.
    #[error(
        "the backup needs root key {0}, which was not given: name its file in root_key_file or more_root_key_files"
    )]
    RootKey(String),
    /// The system cannot read it.
    #[error("the backup cannot be read")]
    Io(#[from] std::io::Error),
}

/// A backup that is being read.
pub struct Reader<'a> {
    input: BufReader<File>,
    keyring: &'a Keyring,
    place: Place,
    header: Header,
    counted: Contents,
    end: Option<Contents>,
}

impl<'a> Reader<'a> {
    /// Opens a file and reads what it says of itself.
    pub fn open(path: &Path, keyring: &'a Keyring) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Self::begin(file, keyring).with_context(|| path.display().to_string())
    }

    fn begin(file: File, keyring: &'a Keyring) -> Result<Self, Unreadable> {
        let mut input = BufReader::new(file);
        let mut front = [0; MAGIC.len() + 1 + ID_BYTES];
        input.read_exact(&mut front).map_err(|_| Unreadable::NoBackup)?;
        let (magic, rest) = front.split_at(MAGIC.len());
        let (&format, id) = rest.split_first().ok_or(Unreadable::NoBackup)?;
        if magic != MAGIC {
            return Err(Unreadable::NoBackup);
        }
        if format != FORMAT {
            return Err(Unreadable::LaterFormat(format));
        }
        let id = id.try_into().map_err(|_| Unreadable::NoBackup)?;
        let mut reader = Self {
            input,
            keyring,
            place: Place::first(id),
            header: Header {
                schema: 0,
                program: String::new(),
                organization: None,
                taken_at: 0,
            },
            counted: Contents::default(),
            end: None,
        };
        let (Kind::Header, plain) = reader.frame()? else {
            return Err(Unreadable::Damaged(0));
        };
        let header = serde_json::from_slice(plain.expose_secret());
        reader.header = header.map_err(|_| Unreadable::Damaged(0))?;
        Ok(reader)
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next rows; none after the last, and then everything was there.
    pub fn next_rows(&mut self) -> Result<Option<Rows>, Unreadable> {
        if self.end.is_some() {
            return Ok(None);
        }
        let number = self.place.number;
        let damaged = || Unreadable::Damaged(number);
        let (kind, plain) = self.frame()?;
        match kind {
            Kind::Header => Err(damaged()),
            Kind::Rows => {
                let some = rows::from_bytes(plain.expose_secret()).ok_or_else(damaged)?;
                self.counted.count(&some);
                Ok(Some(some))
            }
            Kind::End => {
                let end = serde_json::from_slice(plain.expose_secret()).map_err(|_| damaged())?;
                self.finish(end)?;
                Ok(None)
            }
        }
    }

    /// Reads everything, and says what it is. `each` is told of the rows of each step.
    pub fn read_all(mut self, mut each: impl FnMut(u64)) -> Result<Contents, Unreadable> {
        while let Some(some) = self.next_rows()? {
            each(some.len());
        }
        self.end.ok_or(Unreadable::Miscounted)
    }

    fn finish(&mut self, end: Contents) -> Result<(), Unreadable> {
        if self.input.read(&mut [0])? != 0 {
            return Err(Unreadable::Damaged(self.place.number));
        }
        if end.rows != self.counted.rows || end.root_keys != self.counted.root_keys {
            return Err(Unreadable::Miscounted);
        }
        let given: Vec<String> = self.keyring.ids().map(|id| id.to_string()).collect();
        if let Some(lacking) = end.root_keys.iter().find(|id| !given.contains(id)) {
            return Err(Unreadable::RootKey(lacking.clone()));
        }
        self.end = Some(end);
        Ok(())
    }

    fn frame(&mut self) -> Result<(Kind, Plain), Unreadable> {
        let number = self.place.number;
        let damaged = || Unreadable::Damaged(number);
        let mut front = [0; 5];
        self.input
            .read_exact(&mut front)
            .map_err(|_| Unreadable::CutOff(number))?;
        let [kind, length @ ..] = front;
        let kind = Kind::of_byte(kind).ok_or_else(damaged)?;
        let length = u32::from_be_bytes(length);
        // Grows with what is there, whatever the length says.
        let mut bytes = Vec::new();
        self.input.by_ref().take(length.into()).read_to_end(&mut bytes)?;
        if u32::try_from(bytes.len()) != Ok(length) {
            return Err(Unreadable::CutOff(number));
        }
        let sealed = Sealed::from_bytes(bytes).map_err(|_| damaged())?;
        let keyring = self.keyring;
        let plain = self.place.take(kind, |place| open(keyring, place, &sealed));
        let plain = plain.map_err(|fault| match fault {
            EnvelopeError::UnknownKey { key_id } => Unreadable::RootKey(key_id.to_string()),
            _ => damaged(),
        })?;
        Ok((kind, plain))
    }
}
