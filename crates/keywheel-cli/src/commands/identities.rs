//! `keywheel identities`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::projects::set;
use crate::args::{Common, InProject, Sure};
use crate::client::{Client, Patience};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{Output, items, properties, table, text};
use crate::{prompt, resolve, time};

const IDENTITIES: &str = "/api/v1/identities";
/// Identities of one answer: as many as the server gives.
const PAGE: usize = 100;
/// Most pages: ten thousand identities.
const PAGES_MAX: usize = 100;

#[derive(Subcommand)]
pub(crate) enum Identities {
    /// Lists the machine identities
    #[command(after_help = "Example:\n  keywheel identities list")]
    List,
    /// Makes a machine identity
    #[command(after_help = "Example:\n  keywheel identities create ci --role member")]
    Create {
        /// Its name
        name: String,
        /// What it may do in the organization
        #[arg(long, value_enum, default_value = "member")]
        role: OrganizationRole,
    },
    /// Deletes a machine identity; its tokens are good no longer
    #[command(after_help = "Example:\n  keywheel identities delete ci --yes")]
    Delete {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        sure: Sure,
    },
    /// Gives an identity a role in a project, in place of those it has there
    #[command(after_help = "Example:\n  keywheel identities grant ci --project web-shop --role viewer")]
    Grant {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        project: InProject,
        /// What it may do there
        #[arg(long, value_enum)]
        role: ProjectRole,
    },
    ClientSecret(ClientSecret),
}

#[derive(Args)]
pub(crate) struct Named {
    /// Name or id of the identity
    identity: String,
}

/// Makes a client secret for an identity, and prints it once
#[derive(Args)]
#[command(
    after_help = "Example:\n  keywheel identities client-secret ci --description \"build server\" --days 90"
)]
pub(crate) struct ClientSecret {
    #[command(flatten)]
    named: Named,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How long it is good [default: without an end]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum OrganizationRole {
    /// Everything
    Admin,
    /// Nothing but being given roles in projects
    Member,
    /// Nothing
    NoAccess,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ProjectRole {
    /// Everything
    Admin,
    /// Read and write secrets; see rotations
    Member,
    /// Read
    Viewer,
    /// Nothing
    NoAccess,
}

/// A role as the API names it.
fn named(role: &impl ValueEnum) -> String {
    role.to_possible_value()
        .map(|role| role.get_name().to_owned())
        .unwrap_or_default()
}

impl Identities {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List => list(&client, out).await,
            Self::Create { name, role } => {
                let body = json!({"name": name, "role": named(&role)});
                let made = client.post(IDENTITIES, &body, Patience::Ordinary).await?;
                let id = text(&made, "/identity/id");
                out.done(&made, format_args!("made the identity {name}, {id}"))
            }
            Self::Delete { named, sure } => {
                let identity = resolve::identity(&client, &named.identity).await?;
                let name = text(&identity, "/name");
                prompt::confirm(&format!("Delete the identity {name}?"), sure.yes)?;
                let gone = client
                    .delete(&format!("{IDENTITIES}/{}", text(&identity, "/id")), &[], None)
                    .await?;
                out.done(&gone, format_args!("deleted the identity {name}"))
            }
            Self::Grant {
                named: who,
                project,
                role,
            } => {
                let identity = resolve::identity(&client, &who.identity).await?;
                let project = resolve::project(&client, &project).await?;
                let role = named(&role);
                let done = grant(&identity, &project, &role, &client).await?;
                let (name, project) = (text(&identity, "/name"), text(&project, "/slug"));
                out.done(&done, format_args!("{name} is {role} of {project}"))
            }
            Self::ClientSecret(wanted) => client_secret(wanted, &client, out).await,
        }
    }
}

/// All identities of the organization.
pub(crate) async fn all(client: &Client) -> Outcome<Value> {
    let limit = PAGE.to_string();
    let mut all = Vec::new();
    for page in 0..PAGES_MAX {
        let offset = (page * PAGE).to_string();
        let answer = client
            .get(IDENTITIES, &[("limit", &limit), ("offset", &offset)])
            .await?;
        let before = all.len();
        all.extend(items(&answer, "identities").cloned());
        if all.len() < before + PAGE {
            return Ok(json!({"totalCount": all.len(), "identities": all}));
        }
    }
    Err(Failure::failed(
        "there are too many identities to list; name the one you want by its id",
    ))
}

async fn list(client: &Client, out: Output) -> Outcome {
    let all = all(client).await?;
    let now = time::now();
    out.answer(&all, || {
        let row = |one: &Value| {
            let methods: Vec<_> = items(&one["identity"], "authMethods")
                .filter_map(Value::as_str)
                .collect();
            let age = time::since(one["createdAt"].as_str(), now);
            [
                text(one, "/identity/name"),
                text(one, "/role"),
                methods.join(" "),
                age,
                text(one, "/identityId"),
            ]
        };
        table(
            ["NAME", "ROLE", "LOGS IN BY", "AGE", "ID"],
            items(&all, "identities").map(row),
        )
    })
}

/// A member gets the role in place of those it has.
async fn grant(identity: &Value, project: &Value, role: &str, client: &Client) -> Outcome<Value> {
    let (identity, project) = (text(identity, "/id"), text(project, "/id"));
    let path = format!("/api/v1/projects/{project}/memberships/identities/{identity}");
    match client
        .post(&path, &json!({"role": role}), Patience::Ordinary)
        .await
    {
        Err(failure) if failure.kind == Kind::Refused => {
            client
                .patch(&path, &json!({"roles": [{"role": role}]}), Patience::Ordinary)
                .await
        }
        done => done,
    }
}

async fn client_secret(wanted: ClientSecret, client: &Client, out: Output) -> Outcome {
    let identity = resolve::identity(client, &wanted.named.identity).await?;
    let path = format!(
        "/api/v1/auth/universal-auth/identities/{}",
        text(&identity, "/id")
    );
    let login = match client.get(&path, &[]).await {
        Err(failure) if matches!(failure.kind, Kind::NotFound | Kind::Refused) => {
            client.post(&path, &json!({}), Patience::Ordinary).await?
        }
        found => found?,
    };
    let client_id = text(&login, "/identityUniversalAuth/clientId");
    let mut body = json!({});
    set(&mut body, "description", wanted.description);
    set(&mut body, "ttl", wanted.days.map(|days| days * 24 * 60 * 60));
    let mut made = client
        .post(&format!("{path}/client-secrets"), &body, Patience::Ordinary)
        .await?;
    made["clientId"] = client_id.clone().into();
    out.answer(&made, || {
        properties([
            ("client id", client_id),
            ("client secret", text(&made, "/clientSecret")),
        ])
    })?;
    out.note("the client secret is shown this once only");
    Ok(())
}
