//! `keywheel folders`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::args::{Common, InProject, Place, Sure};
use crate::client::{Client, Patience};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{Output, items, table, text};
use crate::resolve::Resolved;
use crate::{prompt, resolve};

const FOLDERS: &str = "/api/v1/folders";

#[derive(Subcommand)]
pub(crate) enum Folders {
    /// Lists the folders in a folder
    #[command(after_help = "Example:\n  keywheel folders list --env prod --path /backend")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Makes a folder, and those above it that are missing
    #[command(after_help = "Example:\n  keywheel folders create /backend/mailer --env prod")]
    Create {
        #[command(flatten)]
        folder: FolderArg,
    },
    /// Deletes a folder with everything in it; rotations in it have to be gone
    #[command(after_help = "Example:\n  keywheel folders delete /backend/mailer --env prod --yes")]
    Delete {
        #[command(flatten)]
        folder: FolderArg,
        #[command(flatten)]
        sure: Sure,
    },
}

// One folder, by its path.
#[derive(Args)]
pub(crate) struct FolderArg {
    /// Its path, from /
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    project: InProject,
    /// Slug of the environment
    #[arg(long = "env", short, env = "KEYWHEEL_ENVIRONMENT", value_name = "ENVIRONMENT")]
    environment: Option<String>,
}

impl Folders {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List { place } => {
                let place = resolve::place(&client, &place).await?;
                let found = within(&client, &place, &place.path).await?;
                out.answer(&found, || {
                    let row = |one: &Value| [text(one, "/name"), text(one, "/id")];
                    table(["NAME", "ID"], items(&found, "folders").map(row))
                })
            }
            Self::Create { folder } => create(folder, &client, out).await,
            Self::Delete { folder, sure } => delete(folder, &sure, &client, out).await,
        }
    }
}

/// The folders in a folder of a place.
async fn within(client: &Client, place: &Resolved, path: &str) -> Outcome<Value> {
    let query = [
        ("projectId", place.project.as_str()),
        ("environment", &place.environment),
        ("path", path),
    ];
    client.get(FOLDERS, &query).await
}

/// The root of the environment, and the names on the way to a folder.
async fn way(wanted: FolderArg, client: &Client) -> Outcome<(Resolved, Vec<String>)> {
    let names: Vec<_> = names(&wanted.path)?;
    let place = Place {
        project: wanted.project,
        environment: wanted.environment,
        path: "/".to_owned(),
    };
    Ok((resolve::place(client, &place).await?, names))
}

fn names(path: &str) -> Outcome<Vec<String>> {
    let names: Vec<_> = path
        .split('/')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if path.starts_with('/') && !names.is_empty() {
        Ok(names)
    } else {
        Err(Failure::usage("expected a path below /, such as /backend/mailer"))
    }
}

fn path_of(names: &[String]) -> String {
    format!("/{}", names.join("/"))
}

async fn create(wanted: FolderArg, client: &Client, out: Output) -> Outcome {
    let (place, names) = way(wanted, client).await?;
    let mut made = Value::Null;
    for (depth, name) in names.iter().enumerate() {
        let above = path_of(names.get(..depth).unwrap_or_default());
        let there = within(client, &place, &above).await?;
        if items(&there, "folders").any(|one| text(one, "/name") == *name) {
            continue;
        }
        let body = json!({"projectId": place.project, "environment": place.environment, "path": above, "name": name});
        made = client.post(FOLDERS, &body, Patience::Ordinary).await?;
    }
    let path = path_of(&names);
    if made.is_null() {
        out.done(&json!({"folder": null}), format_args!("{path} is there already"))
    } else {
        out.done(&made, format_args!("made the folder {path}"))
    }
}

async fn delete(wanted: FolderArg, sure: &Sure, client: &Client, out: Output) -> Outcome {
    let (place, mut names) = way(wanted, client).await?;
    let path = path_of(&names);
    let name = names.pop().unwrap_or_default();
    let above = path_of(&names);
    let there = within(client, &place, &above).await?;
    let found = items(&there, "folders").find(|one| text(one, "/name") == name);
    let found = found.ok_or_else(|| Failure::new(Kind::NotFound, format!("there is no folder {path:?}")))?;
    prompt::confirm(
        &format!("Delete the folder {path} with everything in it?"),
        sure.yes,
    )?;
    let body = json!({"projectId": place.project, "environment": place.environment, "path": above, "forceDelete": true});
    let at = format!("{FOLDERS}/{}", text(found, "/id"));
    let gone = client.delete(&at, &[], Some(&body)).await?;
    out.done(&gone, format_args!("deleted the folder {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_by_its_path_from_the_root() {
        let way = names("/backend//mailer/").unwrap();
        assert_eq!(path_of(&way), "/backend/mailer");
        assert_eq!(path_of(&way[..0]), "/");
        for wrong in ["backend", "/", ""] {
            assert_eq!(names(wrong).unwrap_err().kind, Kind::Usage, "{wrong}");
        }
    }
}
