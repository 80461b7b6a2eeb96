//! Where the root key comes from: text, a file, or new random bytes.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret as _, ExposeSecretMut as _, SecretBox};
use zeroize::Zeroizing;

/// Length of a root key: what AES-256 and HKDF-SHA256 can use fully.
pub const ROOT_KEY_BYTES: usize = 32;

/// A root key file holds one line. Anything longer is some other file, and is not read into memory.
const FILE_BYTES_MAX: usize = 256;

/// Base64 with or without `=` at the end: both are common in settings.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key that everything else hangs on: wiped when dropped, redacted in `Debug`.
pub struct RootKey(SecretBox<[u8; ROOT_KEY_BYTES]>);

/// Why there is no root key. No variant holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The text is not a root key.
    #[error(
        "a root key is 32 bytes, as 64 hex digits or as base64 (44 characters); this text has {chars} characters"
    )]
    Text {
        /// Characters that were there, without white space around them.
        chars: usize,
    },
    /// The file does not hold a root key.
    #[error("{}: {source}", path.display())]
    FileText {
        /// The file.
        path: PathBuf,
        /// What was wrong with its text.
        source: Box<RootKeyError>,
    },
    /// The file cannot be read.
    #[error("cannot read the root key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Every user of the machine may read or change the file.
    #[error("the root key file {} is open to every user (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The new file cannot be written; one that exists is never replaced.
    #[error("cannot write the new root key file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a root key")]
    NoRandomness,
}

impl RootKey {
    /// A new root key from the system's random bytes.
    pub fn generate() -> Result<Self, RootKeyError> {
        let mut key = Self::blank();
        rand::fill(key.0.expose_secret_mut()).map_err(|_| RootKeyError::NoRandomness)?;
        Ok(key)
    }

    /// Reads 64 hex digits or base64; white space around them is dropped.
    pub fn from_text(text: &str) -> Result<Self, RootKeyError> {
        let text = text.trim();
        let mut key = Self::blank();
        let into = key.0.expose_secret_mut();
        // 64 characters of base64 would be 48 bytes, so the two spellings cannot be mistaken for each other.
        let written = if text.len() == 2 * ROOT_KEY_BYTES {
            hex::decode_to_slice(text, into).map(|()| ROOT_KEY_BYTES).ok()
        } else {
            BASE64.decode_slice(text, into).ok()
        };
        match written {
            Some(ROOT_KEY_BYTES) => Ok(key),
            _ => Err(RootKeyError::Text {
                chars: text.chars().count(),
            }),
        }
    }

    /// Reads a file that holds the text of a root key.
    ///
    /// A file that every user may read or write is refused. Group access is left to the operator, because
    /// orchestrators hand out secrets that way (mode 0440, to a group of the service's own).
    pub fn from_file(path: &Path) -> Result<Self, RootKeyError> {
        let unreadable = |source| RootKeyError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        refuse_exposed(path, &file.metadata().map_err(unreadable)?)?;
        // Sized once: a vector that grows would leave copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
        file.take(FILE_BYTES_MAX as u64)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let text = str::from_utf8(&bytes).map_err(|_| RootKeyError::Text { chars: bytes.len() });
        text.and_then(Self::from_text)
            .map_err(|source| RootKeyError::FileText {
                path: path.to_owned(),
                source: Box::new(source),
            })
    }

    /// Writes the key as one line of base64 to a new file that only its owner may read and write. When this
    /// returns, file and folder entry are on disk; an existing file is an error and stays as it is.
    pub fn write_new_file(&self, path: &Path) -> Result<(), RootKeyError> {
        let mut line = Zeroizing::new(BASE64.encode(self.expose()));
        line.push('\n');
        create_private(path)
            .and_then(|file| {
                fill_and_sync(file, line.as_bytes()).inspect_err(|_| {
                    // Half a key is of no use, and would be in the way of the next try.
                    let _ = fs::remove_file(path);
                })
            })
            .and_then(|()| sync_folder_of(path))
            .map_err(|source| RootKeyError::Write {
                path: path.to_owned(),
                source,
            })
    }

    pub(crate) fn expose(&self) -> &[u8; ROOT_KEY_BYTES] {
        self.0.expose_secret()
    }

    fn blank() -> Self {
        Self(SecretBox::new(Box::new([0; ROOT_KEY_BYTES])))
    }
}

impl From<[u8; ROOT_KEY_BYTES]> for RootKey {
    /// A root key from given bytes. The caller wipes its own copy.
    fn from(bytes: [u8; ROOT_KEY_BYTES]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey([REDACTED])")
    }
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), RootKeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    const EVERY_USER: u32 = 0o007;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & EVERY_USER == 0 {
        return Ok(());
    }
    Err(RootKeyError::Exposed {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), RootKeyError> {
    Ok(())
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn fill_and_sync(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the folder entry durable: without it a crash can take away the file that data is already sealed under.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}
