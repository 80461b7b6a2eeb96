//! `keywheel projects`.

use clap::Subcommand;
use serde_json::json;

use crate::args::{Common, InProject, Sure};
use crate::client::Patience;
use crate::exit::Outcome;
use crate::output::{items, table, text};
use crate::{prompt, resolve};

#[derive(Subcommand)]
pub(crate) enum Projects {
    /// Lists your projects
    #[command(after_help = "Example:\n  keywheel projects list")]
    List,
    /// Makes a project, with the environments dev, staging and prod
    #[command(after_help = "Example:\n  keywheel projects create \"Web shop\" --slug web-shop")]
    Create {
        /// Its name
        name: String,
        /// What it is called in addresses [default: made from the name]
        #[arg(long)]
        slug: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Deletes a project with all its secrets; its rotations have to be gone
    #[command(after_help = "Example:\n  keywheel projects delete web-shop --yes")]
    Delete {
        /// Name, slug or id
        project: String,
        #[command(flatten)]
        sure: Sure,
    },
}

impl Projects {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List => {
                let all = resolve::projects(&client).await?;
                out.answer(&all, || {
                    let rows = items(&all, "projects").map(|project| {
                        let environments: Vec<_> = items(project, "environments")
                            .map(|one| text(one, "/slug"))
                            .collect();
                        [
                            text(project, "/name"),
                            text(project, "/slug"),
                            environments.join(" "),
                            text(project, "/id"),
                        ]
                    });
                    table(["NAME", "SLUG", "ENVIRONMENTS", "ID"], rows)
                })
            }
            Self::Create {
                name,
                slug,
                description,
            } => {
                let mut body = json!({"projectName": name});
                set(&mut body, "slug", slug);
                set(&mut body, "projectDescription", description);
                let made = client.post("/api/v1/projects", &body, Patience::Ordinary).await?;
                let project = &made["project"];
                out.done(
                    &made,
                    format_args!(
                        "made the project {}, {}",
                        text(project, "/slug"),
                        text(project, "/id")
                    ),
                )
            }
            Self::Delete { project, sure } => {
                let wanted = InProject {
                    project: Some(project),
                };
                let project = resolve::project(&client, &wanted).await?;
                let (name, id) = (text(&project, "/name"), text(&project, "/id"));
                prompt::confirm(
                    &format!("Delete the project {name} with all its secrets?"),
                    sure.yes,
                )?;
                let gone = client
                    .delete(&format!("/api/v1/projects/{id}"), &[], None)
                    .await?;
                out.done(&gone, format_args!("deleted the project {name}"))
            }
        }
    }
}

/// Sets a field of a body if something was given for it.
pub(super) fn set<T: Into<serde_json::Value>>(body: &mut serde_json::Value, field: &str, given: Option<T>) {
    if let Some(given) = given {
        body[field] = given.into();
    }
}
