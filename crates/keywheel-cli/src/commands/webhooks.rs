//! `keywheel webhooks`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::args::{Common, InProject};
use crate::client::Patience;
use crate::exit::{Failure, Outcome};
use crate::output::{items, table, text};
use crate::resolve;

#[derive(Subcommand)]
pub(crate) enum Webhooks {
    /// Lists the webhooks of a project, and how the last call of each ended
    #[command(after_help = "Example:\n  keywheel webhooks list --project web-shop")]
    List {
        #[command(flatten)]
        project: InProject,
    },
    /// Sends a test to a webhook
    #[command(after_help = "Example:\n  keywheel webhooks test 01a1fffb-e3d0-7a22-ac4f-78234199d6ab")]
    Test {
        /// Its id
        webhook: String,
    },
}

impl Webhooks {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List { project } => {
                let project = text(&resolve::project(&client, &project).await?, "/id");
                let all = client.get("/api/v1/webhooks", &[("projectId", &project)]).await?;
                out.answer(&all, || {
                    let row = |one: &Value| {
                        let state = if one["isDisabled"] == true {
                            "off".to_owned()
                        } else {
                            text(one, "/lastStatus")
                        };
                        let place =
                            format!("{} {}", text(one, "/environment/slug"), text(one, "/secretPath"));
                        [
                            text(one, "/id"),
                            text(one, "/type"),
                            place,
                            state,
                            text(one, "/lastRunErrorMessage"),
                        ]
                    };
                    table(
                        ["ID", "TYPE", "PLACE", "LAST", "MESSAGE"],
                        items(&all, "webhooks").map(row),
                    )
                })
            }
            Self::Test { webhook } => {
                if !resolve::is_id(&webhook) {
                    return Err(Failure::usage(
                        "webhooks have no names; give the id that keywheel webhooks list shows",
                    ));
                }
                let path = format!("/api/v1/webhooks/{webhook}/test");
                let tested = client.post(&path, &json!({}), Patience::Ordinary).await?;
                let (status, message) = (
                    text(&tested, "/webhook/lastStatus"),
                    text(&tested, "/webhook/lastRunErrorMessage"),
                );
                if status == "failed" {
                    return Err(Failure::failed(format!("the webhook was not told: {message}")));
                }
                out.done(&tested, format_args!("the webhook was told: {status}"))
            }
        }
    }
}
