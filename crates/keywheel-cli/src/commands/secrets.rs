//! `keywheel secrets`.

use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::args::{Common, Place, Sure};
use crate::client::{Client, Patience};
use crate::exit::Outcome;
use crate::output::{Output, items, table, text};
use crate::resolve::Resolved;
use crate::{prompt, resolve, time};

const SECRETS: &str = "/api/v4/secrets";

#[derive(Subcommand)]
pub(crate) enum Secrets {
    /// Prints the value of a secret, alone
    #[command(after_help = "Example:\n  keywheel secrets get AWS_ACCESS_KEY_ID --env prod")]
    Get {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Lists the secrets of a folder, without their values
    #[command(after_help = "Examples:
  keywheel secrets list --project web-shop --env prod --path /backend
  keywheel secrets list --env prod --values --output json")]
    List {
        #[command(flatten)]
        place: Place,
        /// Show the values too
        #[arg(long)]
        values: bool,
    },
    /// Sets a secret to a value that is asked for, or read from standard input
    ///
    /// Of standard input, a line break at the end is left out.
    #[command(after_help = "Examples:
  keywheel secrets set DATABASE_PASSWORD --env prod
  keywheel secrets set TLS_KEY --env prod < key.pem")]
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Deletes a secret with its versions
    #[command(after_help = "Example:\n  keywheel secrets delete OLD_TOKEN --env prod --yes")]
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        sure: Sure,
    },
}

impl Secrets {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::Get { name, place } => {
                let place = resolve::place(&client, &place).await?;
                let found = client.get(&at(&name), &place.query()).await?;
                out.answer(&found, || text(&found, "/secret/secretValue"))
            }
            Self::List { place, values } => {
                list(&resolve::place(&client, &place).await?, values, &client, out).await
            }
            Self::Set { name, place } => {
                set(&name, &resolve::place(&client, &place).await?, &client, out).await
            }
            Self::Delete { name, place, sure } => {
                let place = resolve::place(&client, &place).await?;
                prompt::confirm(&format!("Delete the secret {name} with its versions?"), sure.yes)?;
                let gone = client.delete(&at(&name), &[], Some(&place.body())).await?;
                out.done(&without_value(gone), format_args!("deleted {name}"))
            }
        }
    }
}

/// Names may have any sign in them.
fn at(name: &str) -> String {
    let part = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    format!("{SECRETS}/{}", name.bytes().map(part).collect::<String>())
}

async fn list(place: &Resolved, values: bool, client: &Client, out: Output) -> Outcome {
    let mut query = place.query().to_vec();
    query.push(("viewSecretValue", if values { "true" } else { "false" }));
    let found = client.get(SECRETS, &query).await?;
    out.answer(&found, || {
        let now = time::now();
        let imported = items(&found, "imports").flat_map(|import| {
            let from = format!("{} {}", text(import, "/environment"), text(import, "/secretPath"));
            items(import, "secrets").map(move |secret| (secret, from.clone()))
        });
        let own = items(&found, "secrets").map(|secret| (secret, String::new()));
        let row = |(secret, from): (&Value, String)| {
            let kind = if secret["isRotatedSecret"] == true {
                "rotated"
            } else {
                ""
            };
            let value = if values {
                text(secret, "/secretValue")
            } else {
                String::new()
            };
            let age = time::since(secret["updatedAt"].as_str(), now);
            [
                text(secret, "/secretKey"),
                text(secret, "/version"),
                age,
                kind.to_owned(),
                from,
                value,
            ]
        };
        let value = if values { "VALUE" } else { "" };
        table(
            ["NAME", "VERSION", "CHANGED", "KIND", "IMPORTED FROM", value],
            own.chain(imported).map(row),
        )
    })
}

/// Most secrets that are set are there already.
async fn set(name: &str, place: &Resolved, client: &Client, out: Output) -> Outcome {
    let value = if prompt::is_interactive() {
        prompt::ask_secret(&format!("Value of {name}:"), "the value on standard input")?
    } else {
        prompt::secret_of_stdin()?
    };
    let mut body = place.body();
    body["secretValue"] = value.expose_secret().into();
    let (done, verb) = match client.patch(&at(name), &body, Patience::Ordinary).await {
        Err(failure) if failure.is_not_found() => {
            (client.post(&at(name), &body, Patience::Ordinary).await?, "made")
        }
        done => (done?, "changed"),
    };
    let version = text(&done, "/secret/version");
    out.done(
        &without_value(done),
        format_args!("{verb} {name}, version {version}"),
    )
}

/// Whoever sets or deletes a secret does not want to see it.
fn without_value(mut answer: Value) -> Value {
    if let Some(secret) = answer["secret"].as_object_mut() {
        secret.remove("secretValue");
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_part_of_the_path() {
        assert_eq!(at("AWS_KEY"), "/api/v4/secrets/AWS_KEY");
        assert_eq!(at("a b?/ü"), "/api/v4/secrets/a%20b%3F%2F%C3%BC");
    }
}
