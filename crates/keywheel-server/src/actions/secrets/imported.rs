//! What folders import.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use keywheel_core::ids::FolderId;
use keywheel_core::names::SecretName;
use keywheel_store::Snapshot;
use keywheel_store::imports::SecretImport;
use keywheel_store::secrets::Secret;

use super::found::Imported;
use crate::http::errors::ApiError;

/// How many imports may lie behind each other. Those behind are not followed.
const IMPORT_DEPTH_MAX: usize = 10;
/// Most folders that one read imports from: what a request may cost.
const IMPORTED_FOLDERS_MAX: usize = 1_000;

/// Most imported secrets that one read shows: what a request may cost.
const IMPORTED_MAX: usize = 20_000;

/// Imports and what they lead to.
#[derive(Default)]
struct Graph {
    imports: HashMap<FolderId, Vec<SecretImport>>,
    secrets: HashMap<FolderId, Vec<Arc<Secret>>>,
}

/// What the folders import, in their order; only secrets of a name if there is one.
pub(super) async fn follow(
    snapshot: &mut dyn Snapshot,
    folders: &[FolderId],
    name: Option<&SecretName>,
) -> Result<Vec<Imported>, ApiError> {
    let graph = Graph::read(snapshot, folders, name).await?;
    let mut all = Vec::new();
    let mut count = 0;
    for import in folders
        .iter()
        .filter_map(|folder| graph.imports.get(folder))
        .flatten()
    {
        let secrets = graph.shown_by(import.from.folder);
        count += secrets.len();
        if count > IMPORTED_MAX {
            return Err(too_much(&format!(
                "more than {IMPORTED_MAX} secrets are imported"
            )));
        }
        all.push(Imported {
            place: import.from.clone(),
            secrets,
        });
    }
    Ok(all)
}

fn too_much(what: &str) -> ApiError {
    ApiError::bad_request(format!(
        "The imports cannot be shown: {what}. Ask with includeImports=false, or for fewer folders."
    ))
}

impl Graph {
    async fn read(
        snapshot: &mut dyn Snapshot,
        folders: &[FolderId],
        name: Option<&SecretName>,
    ) -> Result<Self, ApiError> {
        let mut graph = Self::default();
        let asked: HashSet<&FolderId> = folders.iter().collect();
        let mut reached = HashSet::new();
        let mut fresh = folders.to_vec();
        for _ in 0..IMPORT_DEPTH_MAX {
            let found = snapshot.imports_of(&fresh).await?;
            fresh.clear();
            for import in found {
                let from = import.from.folder;
                if reached.insert(from) && !asked.contains(&from) {
                    fresh.push(from);
                }
                graph.imports.entry(import.into.folder).or_default().push(import);
            }
            if reached.len() > IMPORTED_FOLDERS_MAX {
                return Err(too_much(&format!(
                    "secrets are imported from more than {IMPORTED_FOLDERS_MAX} folders"
                )));
            }
            if fresh.is_empty() {
                break;
            }
        }
        let mut reached: Vec<FolderId> = reached.into_iter().collect();
        reached.sort_unstable();
        for secret in snapshot.secrets_in(&reached, name).await? {
            let folder = graph.secrets.entry(secret.place.folder).or_default();
            folder.push(Arc::new(secret));
        }
        Ok(graph)
    }

    /// The secrets of a folder and of what it imports; by name. Its own come first, then those of its last import.
    /// Each folder counts once, so that loops end.
    fn shown_by(&self, folder: FolderId) -> Vec<Arc<Secret>> {
        let mut shown: BTreeMap<&SecretName, &Arc<Secret>> = BTreeMap::new();
        let mut passed = HashSet::new();
        let mut waiting = vec![folder];
        while let Some(folder) = waiting.pop() {
            if !passed.insert(folder) {
                continue;
            }
            for secret in self.secrets.get(&folder).into_iter().flatten() {
                shown.entry(&secret.name).or_insert(secret);
            }
            let imports = self.imports.get(&folder).into_iter().flatten();
            waiting.extend(imports.map(|import| import.from.folder));
        }
        shown.into_values().cloned().collect()
    }
}
