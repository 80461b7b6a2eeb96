//! What can be looked at on this machine: settings, folder, disk, database, root key.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use keywheel_store::Store;

use super::findings::Findings;
use crate::commands::{migrate, url};
use crate::config::{RootKeySource, Settings};
use crate::root_keys::find_keyring;
use crate::vault::Vault;

/// Less is filled by a busy audit log within weeks.
const DISK_WARN_BYTES: u64 = 1 << 30;
/// Less is filled within a day, and a full disk stops every change.
const DISK_FAIL_BYTES: u64 = 100 << 20;
/// Permissions that anybody but the owner has.
const OTHERS: u32 = 0o077;

/// A database that can be read, with what opens its secrets.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Vault,
}

pub(super) fn settings(settings: &Settings, findings: &mut Findings) {
    if settings.warnings.is_empty() {
        return findings.ok("settings", "read");
    }
    for warning in &settings.warnings {
        findings.warn("settings", warning, "see config.default.toml");
    }
}

/// Whether the data folder is there, and for its owner only.
pub(super) fn folder(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "data folder";
    let folder = &settings.data_dir;
    match std::fs::metadata(folder) {
        Err(fault) => findings.fail(
            CHECK,
            format!("{}: {fault}", folder.display()),
            "start the server once, or name the folder with --data-dir",
        ),
        Ok(found) if !found.is_dir() => findings.fail(
            CHECK,
            format!("{} is no folder", folder.display()),
            "name another one with --data-dir",
        ),
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            if mode & OTHERS == 0 {
                findings.ok(CHECK, format!("{} is for its owner only", folder.display()));
            } else {
                findings.warn(
                    CHECK,
                    format!("other users may look into {} (mode {mode:03o})", folder.display()),
                    format!("chmod 700 {}", folder.display()),
                );
            }
        }
    }
}

/// Whether the root key of a database that was used is there, and for its owner only.
fn root_key_file(path: &Path, findings: &mut Findings) {
    const CHECK: &str = "root key file";
    match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & OTHERS == 0 => {
            findings.ok(CHECK, format!("{} is for its owner only", path.display()));
        }
        Ok(_) => findings.fail(
            CHECK,
            format!("other users may read {}", path.display()),
            format!(
                "chmod 600 {}; if they might have, use a new root key",
                path.display()
            ),
        ),
        Err(fault) => findings.fail(
            CHECK,
            format!("{}: {fault}", path.display()),
            "restore it from where it was backed up; without it no stored secret can be read",
        ),
    }
}

pub(super) fn disk(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "disk";
    // A folder that is not there is told of already.
    let Ok(found) = rustix::fs::statvfs(&settings.data_dir) else {
        return;
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let message = format!("{} MiB are free for {}", free >> 20, settings.data_dir.display());
    if free < DISK_FAIL_BYTES {
        findings.fail(CHECK, message, "make room: a full disk stops every change");
    } else if free < DISK_WARN_BYTES {
        findings.warn(CHECK, message, "make room, or set audit_retention_days");
    } else {
        findings.ok(CHECK, message);
    }
}

/// Whether the database is there and of this version, and whether the root key opens it.
pub(super) async fn database(settings: &Settings, findings: &mut Findings) -> Option<Opened> {
    const CHECK: &str = "database";
    let schema = opened(CHECK, keywheel_store::schema_of(url(settings)).await, findings)?;
    if schema.found.is_none_or(|found| found == 0) {
        findings.fail(CHECK, "no server has used it yet", "start the server once");
        return None;
    }
    if let RootKeySource::File(path) | RootKeySource::Made(path) = &settings.root_keys.current {
        root_key_file(path, findings);
    }
    match schema.found {
        Some(_) if schema.is_newer() => {
            findings.fail(
                CHECK,
                migrate::newer(&schema),
                "use the program that it belongs to",
            );
            return None;
        }
        Some(found) if !schema.pending().is_empty() => {
            let message = format!(
                "it has schema version {found}, and this program needs {}",
                schema.newest()
            );
            findings.warn(CHECK, message, "keywheel migrate up, or start the server");
            return None;
        }
        found => {
            let version = found.unwrap_or_default();
            findings.ok(CHECK, format!("reachable, schema version {version}"));
        }
    }
    root_key(settings, findings).await
}

async fn root_key(settings: &Settings, findings: &mut Findings) -> Option<Opened> {
    const CHECK: &str = "root key";
    let store = opened(CHECK, keywheel_store::open_to_read(url(settings)).await, findings)?;
    match find_keyring(&settings.root_keys, store.as_ref()).await {
        Ok(keyring) => {
            findings.ok(CHECK, format!("{} opens the database", keyring.current_id()));
            let vault = Vault::new(Arc::new(keyring));
            Some(Opened { store, vault })
        }
        Err(fault) => {
            let remedy =
                "name the file that the database was sealed with: root_key_file, more_root_key_files";
            findings.fail(CHECK, format!("{fault:#}"), remedy);
            None
        }
    }
}

/// What the database gave, if it could be opened.
fn opened<T>(check: &str, found: keywheel_store::Result<T>, findings: &mut Findings) -> Option<T> {
    let remedy = "check database_url, and that the database runs";
    found
        .map_err(|fault| findings.fail(check, fault.to_string(), remedy))
        .ok()
}
