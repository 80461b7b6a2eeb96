//! `keywheel audit list` and `export`. The same group has what operators need (`keywheel audit verify`).

use std::io::Write;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::Value;

use crate::args::{Common, InProject};
use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{Output, items, json, table, text};
use crate::{resolve, time};

const AUDIT_LOGS: &str = "/api/v1/organization/audit-logs";
/// Entries of one answer of an export: as many as the server gives.
const PAGE: usize = 1_000;

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Lists entries of the audit log, latest first
    #[command(after_help = "Examples:
  keywheel audit list --since 7d --event create-secret-rotation
  keywheel audit list --project web-shop --actor 01a1fff9-5011-70f6-8d12-78563394ed40 --limit 100")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many entries
        #[arg(long, short = 'n', default_value = "20", value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Prints all entries of a time, latest first, one JSON object a line
    #[command(
        after_help = "Example:\n  keywheel audit export --since 2026-10-01 --until 2026-11-01 > october.jsonl"
    )]
    Export {
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Args)]
pub(crate) struct Filter {
    /// From when: a date, a moment or an age such as 7d [default: the last midnight, UTC]
    #[arg(long, value_parser = time::given, value_name = "WHEN")]
    since: Option<Timestamp>,
    /// Until when [default: now]
    #[arg(long, value_parser = time::given, value_name = "WHEN")]
    until: Option<Timestamp>,
    /// Types of events, joined by commas
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// Who did it, by the id of the identity
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Name, slug or id of the project
    #[arg(long, short, env = "KEYWHEEL_PROJECT", value_name = "PROJECT")]
    project: Option<String>,
    /// Slug of the environment
    #[arg(long = "env", short, value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// The folder
    #[arg(long)]
    path: Option<String>,
    /// Name of the secret
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
}

impl Filter {
    /// As parameters of a query.
    async fn query(self, client: &Client) -> Outcome<Vec<(&'static str, String)>> {
        let project = if self.project.is_some() {
            let wanted = InProject {
                project: self.project,
            };
            Some(text(&resolve::project(client, &wanted).await?, "/id"))
        } else {
            None
        };
        let moment = |moment: Timestamp| format!("{moment:.3}");
        let given = [
            ("startDate", self.since.map(moment)),
            ("endDate", self.until.map(moment)),
            ("eventType", self.event),
            ("actor", self.actor),
            ("projectId", project),
            ("environment", self.environment),
            ("secretPath", self.path),
            ("secretKey", self.secret),
        ];
        Ok(given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }
}

impl Audit {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List { filter, limit } => {
                let mut query = filter.query(&client).await?;
                query.push(("limit", limit.to_string()));
                let found = entries(&client, &query).await?;
                out.answer(&found, || table_of(&found))
            }
            Self::Export { filter } => export(filter, &client, out).await,
        }
    }
}

async fn entries(client: &Client, query: &[(&'static str, String)]) -> Outcome<Value> {
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    client.get(AUDIT_LOGS, &query).await
}

fn table_of(found: &Value) -> String {
    let now = time::now();
    let row = |entry: &Value| {
        let metadata = &entry["event"]["metadata"];
        let about = ["rotationName", "name", "secretKey", "secretPath", "userName"];
        let about = about
            .iter()
            .find_map(|field| metadata[field].as_str())
            .unwrap_or_default();
        [
            time::since(entry["createdAt"].as_str(), now),
            who(entry),
            text(entry, "/event/type"),
            text(metadata, "/outcome"),
            about.to_owned(),
            text(entry, "/projectName"),
            text(entry, "/ipAddress"),
        ]
    };
    let headings = ["AGO", "WHO", "EVENT", "OUTCOME", "ABOUT", "PROJECT", "FROM"];
    table(headings, items(found, "auditLogs").map(row))
}

/// Identities have names, people their addresses; Keywheel itself has neither.
fn who(entry: &Value) -> String {
    let actor = &entry["actor"]["metadata"];
    let name = text(actor, "/name");
    if name.is_empty() {
        text(actor, "/email")
    } else {
        name
    }
}

/// Page after page up to a fixed end: what is added meanwhile would move the entries from one page to the next.
async fn export(mut filter: Filter, client: &Client, out: Output) -> Outcome {
    filter.until = filter.until.or_else(|| Some(time::now()));
    let query = filter.query(client).await?;
    let mut exported = 0;
    loop {
        let mut page = query.clone();
        page.push(("limit", PAGE.to_string()));
        page.push(("offset", exported.to_string()));
        let found = entries(client, &page).await?;
        let mut lines = std::io::stdout().lock();
        let mut count = 0;
        for entry in items(&found, "auditLogs") {
            writeln!(lines, "{}", json(entry))?;
            count += 1;
        }
        lines.flush()?;
        exported += count;
        if count < PAGE {
            break;
        }
    }
    out.note(format_args!("{exported} entries"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn identities_and_people_are_both_told_by_their_names() {
        let entry = |actor: Value| json!({"createdAt": "2026-11-21T10:00:00Z", "actor": actor});
        let identity = json!({"type": "identity", "metadata": {"identityId": "1", "name": "deployer"}});
        let person = json!({"type": "user", "metadata": {"userId": "2", "email": "ada@keywheel.example"}});
        let platform = json!({"type": "platform", "metadata": {}});
        let found = json!({"auditLogs": [entry(identity), entry(person)]});
        let shown = table_of(&found);
        assert!(
            shown.contains(" deployer") && shown.contains(" ada@keywheel.example"),
            "{shown}"
        );
        assert_eq!(who(&entry(platform)), "");
    }
}
