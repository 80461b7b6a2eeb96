//! `keywheel environments`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::args::{Common, InProject, Sure};
use crate::client::Patience;
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{items, table, text};
use crate::{prompt, resolve};

#[derive(Subcommand)]
pub(crate) enum Environments {
    /// Lists the environments of a project
    #[command(after_help = "Example:\n  keywheel environments list --project web-shop")]
    List {
        #[command(flatten)]
        project: InProject,
    },
    /// Adds an environment
    #[command(
        after_help = "Example:\n  keywheel environments create qa --name \"Quality\" --project web-shop"
    )]
    Create {
        /// Its slug
        slug: String,
        /// Its name [default: the slug]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        project: InProject,
    },
    /// Deletes an environment with its secrets
    #[command(after_help = "Example:\n  keywheel environments delete qa --project web-shop --yes")]
    Delete {
        /// Its slug
        slug: String,
        #[command(flatten)]
        project: InProject,
        #[command(flatten)]
        sure: Sure,
    },
}

impl Environments {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List { project } => {
                let project = resolve::project(&client, &project).await?;
                let answer = json!({"environments": project["environments"]});
                out.answer(&answer, || {
                    let row = |one: &Value| [text(one, "/slug"), text(one, "/name"), text(one, "/id")];
                    table(["SLUG", "NAME", "ID"], items(&answer, "environments").map(row))
                })
            }
            Self::Create { slug, name, project } => {
                let project = resolve::project(&client, &project).await?;
                let path = format!("/api/v1/projects/{}/environments", text(&project, "/id"));
                let body = json!({"slug": slug, "name": name.as_deref().unwrap_or(&slug)});
                let made = client.post(&path, &body, Patience::Ordinary).await?;
                out.done(&made, format_args!("made the environment {slug}"))
            }
            Self::Delete { slug, project, sure } => {
                let project = resolve::project(&client, &project).await?;
                let found = items(&project, "environments").find(|one| text(one, "/slug") == slug);
                let found = found.ok_or_else(|| {
                    Failure::new(Kind::NotFound, format!("there is no environment {slug:?}"))
                })?;
                prompt::confirm(
                    &format!("Delete the environment {slug} with its secrets?"),
                    sure.yes,
                )?;
                let path = format!(
                    "/api/v1/projects/{}/environments/{}",
                    text(&project, "/id"),
                    text(found, "/id")
                );
                let gone = client.delete(&path, &[], None).await?;
                out.done(&gone, format_args!("deleted the environment {slug}"))
            }
        }
    }
}
