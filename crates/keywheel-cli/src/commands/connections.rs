//! `keywheel connections`.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::projects::set;
use crate::args::{Common, InProject, Sure};
use crate::client::{Client, Patience};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{Output, items, properties, table, text};
use crate::{prompt, resolve};

const CONNECTIONS: &str = "/api/v1/app-connections/aws";

#[derive(Subcommand)]
pub(crate) enum Connections {
    /// Lists the connections that you may see
    #[command(after_help = "Example:\n  keywheel connections list")]
    List,
    /// Shows a connection
    #[command(after_help = "Example:\n  keywheel connections get production")]
    Get(Named),
    Create(Create),
    /// Lists the IAM users of the account that a connection reaches
    #[command(after_help = "Example:\n  keywheel connections users production")]
    Users(Named),
    /// Asks AWS whether a connection works, and what it may do
    #[command(after_help = "Example:\n  keywheel connections test production")]
    Test(Named),
    /// Deletes a connection that no rotation uses
    #[command(after_help = "Example:\n  keywheel connections delete old --yes")]
    Delete {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Args)]
pub(crate) struct Named {
    /// Name or id of the connection
    connection: String,
}

/// Makes a connection, if AWS accepts its credentials
///
/// By the role that Keywheel is to assume, or by an access key, whose secret is asked for or read from standard input.
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel connections create production --role arn:aws:iam::111122223333:role/keywheel
  keywheel connections create test --access-key AKIAIOSFODNN7EXAMPLE --secret-stdin < secret-file")]
pub(crate) struct Create {
    /// Its name: small letters, digits and hyphens
    name: String,
    /// The role to assume
    #[arg(long, value_name = "ARN", required_unless_present = "access_key")]
    role: Option<String>,
    /// Id of the access key to use
    #[arg(long, value_name = "ID", conflicts_with = "role")]
    access_key: Option<String>,
    /// Read the secret access key from standard input
    #[arg(long, requires = "access_key")]
    secret_stdin: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The only project that may use it [default: all]
    #[arg(long, short, value_name = "PROJECT")]
    project: Option<String>,
}

impl Connections {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List => list(&client, out).await,
            Self::Get(named) => {
                let connection = resolve::connection(&client, &named.connection).await?;
                out.answer(&json!({"appConnection": connection}), || shown(&connection))
            }
            Self::Create(wanted) => create(wanted, &client, out).await,
            Self::Users(named) => users(&named, &client, out).await,
            Self::Test(named) => test(&named, &client, out).await,
            Self::Delete { named, sure } => {
                let connection = resolve::connection(&client, &named.connection).await?;
                let name = text(&connection, "/name");
                prompt::confirm(&format!("Delete the connection {name}?"), sure.yes)?;
                let path = format!("{CONNECTIONS}/{}", text(&connection, "/id"));
                let gone = client.delete(&path, &[], None).await?;
                out.done(&gone, format_args!("deleted the connection {name}"))
            }
        }
    }
}

async fn list(client: &Client, out: Output) -> Outcome {
    let all = client.list(CONNECTIONS, &[], "appConnections").await?;
    out.answer(&all, || {
        let row = |one: &Value| {
            let project = text(one, "/project/name");
            let project = if project.is_empty() {
                "all".to_owned()
            } else {
                project
            };
            [
                text(one, "/name"),
                text(one, "/method"),
                reached(one),
                project,
                text(one, "/id"),
            ]
        };
        table(
            ["NAME", "METHOD", "BY", "PROJECT", "ID"],
            items(&all, "appConnections").map(row),
        )
    })
}

/// The role or the key by which a connection acts.
fn reached(connection: &Value) -> String {
    let role = text(connection, "/credentials/roleArn");
    if role.is_empty() {
        text(connection, "/credentials/accessKeyId")
    } else {
        role
    }
}

fn shown(connection: &Value) -> String {
    properties([
        ("name", text(connection, "/name")),
        ("id", text(connection, "/id")),
        ("description", text(connection, "/description")),
        ("method", text(connection, "/method")),
        ("by", reached(connection)),
        ("project", text(connection, "/project/name")),
        ("created", text(connection, "/createdAt")),
        ("changed", text(connection, "/updatedAt")),
    ])
}

async fn create(wanted: Create, client: &Client, out: Output) -> Outcome {
    let mut body = match (&wanted.role, &wanted.access_key) {
        (Some(role), _) => json!({"method": "assume-role", "credentials": {"roleArn": role}}),
        (None, Some(id)) => {
            let secret = if wanted.secret_stdin {
                prompt::secret_of_stdin()?
            } else {
                prompt::ask_secret(&format!("Secret access key of {id}:"), "--secret-stdin")?
            };
            let credentials = json!({"accessKeyId": id, "secretAccessKey": secret.expose_secret()});
            json!({"method": "access-key", "credentials": credentials})
        }
        (None, None) => return Err(Failure::usage("give --role or --access-key")),
    };
    body["name"] = wanted.name.into();
    set(&mut body, "description", wanted.description);
    if wanted.project.is_some() {
        let project = resolve::project(
            client,
            &InProject {
                project: wanted.project,
            },
        )
        .await?;
        body["projectId"] = project["id"].clone();
    }
    let made = client.post(CONNECTIONS, &body, Patience::Rotation).await?;
    let (name, id) = (
        text(&made, "/appConnection/name"),
        text(&made, "/appConnection/id"),
    );
    out.done(&made, format_args!("made the connection {name}, {id}"))
}

async fn users(named: &Named, client: &Client, out: Output) -> Outcome {
    let connection = resolve::connection(client, &named.connection).await?;
    let answer = client
        .get(&format!("{CONNECTIONS}/{}/users", text(&connection, "/id")), &[])
        .await?;
    out.answer(&answer, || {
        let row = |user: &Value| [text(user, "/UserName"), text(user, "/Arn")];
        table(["USER", "ARN"], items(&answer, "iamUsers").map(row))
    })
}

async fn test(named: &Named, client: &Client, out: Output) -> Outcome {
    let connection = resolve::connection(client, &named.connection).await?;
    let path = format!("{CONNECTIONS}/{}/test", text(&connection, "/id"));
    let answer = client.post(&path, &json!({}), Patience::Rotation).await?;
    let test = &answer["test"];
    out.answer(&answer, || {
        properties([
            ("connection", text(&connection, "/name")),
            ("status", text(test, "/status")),
            ("acts as", text(test, "/arn")),
            ("account", text(test, "/account")),
            ("may list users", text(test, "/canListUsers")),
            ("message", text(test, "/message")),
        ])
    })?;
    match test["status"].as_str() {
        Some("ok") => Ok(()),
        _ => Err(Failure::new(Kind::Failed, "the connection does not work")),
    }
}
