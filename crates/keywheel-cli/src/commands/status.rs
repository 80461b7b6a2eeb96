//! `keywheel status`.

use clap::Args;
use serde_json::{Value, json};

use crate::args::Common;
use crate::client::{Client, ServerUrl, attempt, body_of, http_client};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{items, properties, table, text};
use crate::time;

/// Says whether the server is there, who is signed in, and how the rotations are
#[derive(Args)]
#[command(after_help = "Examples:\n  keywheel status\n  keywheel status --output json")]
pub(crate) struct Status {}

pub(super) async fn run(common: &Common) -> Outcome {
    match common.connect() {
        Ok(client) => as_caller(&client, common).await,
        // Where a server is named it can be asked by everybody; a script that looks after it needs no login.
        Err(missing) if missing.kind == Kind::NotSignedIn => match common.server()? {
            Some(server) => as_nobody(&server, common).await,
            None => Err(missing),
        },
        Err(failure) => Err(failure),
    }
}

/// What everybody may know.
async fn as_nobody(server: &ServerUrl, common: &Common) -> Outcome {
    let (version, is_ready) = of_server(server).await?;
    let answer = json!({"url": server.to_string(), "version": version, "ready": is_ready});
    let out = common.out();
    out.note("not signed in: the rest is told after keywheel login");
    out.answer(&answer, || properties(server_lines(server, is_ready, version)))?;
    require_ready(is_ready)
}

/// That a server is not ready is a failure, so that a script learns it too.
fn require_ready(is_ready: bool) -> Outcome {
    let words = "the server is there, and not ready: it is stopping, or has no database";
    is_ready
        .then_some(())
        .ok_or_else(|| Failure::new(Kind::Unreachable, words))
}

async fn as_caller(client: &Client, common: &Common) -> Outcome {
    let (version, is_ready) = of_server(client.server()).await?;
    let claims = client.session().claims();
    let overview = client.get("/api/v2/secret-rotations/overview", &[]).await?["overview"].clone();
    let identity = claims.and_then(|claims| claims.identity_name).unwrap_or_default();
    let answer = json!({
        "url": client.server().to_string(),
        "version": version,
        "ready": is_ready,
        "identity": identity,
        "overview": overview,
    });
    common.out().answer(&answer, || {
        let [server, version] = server_lines(client.server(), is_ready, version);
        [
            properties([
                server,
                version,
                ("signed in as", identity),
                ("rotations", counts(&overview)),
            ]),
            named(&overview, "failing", "FAILING"),
            named(&overview, "dueNext", "DUE NEXT"),
        ]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
    })?;
    require_ready(is_ready)
}

/// What the server says about itself to everybody.
async fn of_server(server: &ServerUrl) -> Outcome<(Option<String>, bool)> {
    let http = http_client(server)?;
    let ready = attempt(http.get(server.at("/readyz")), server).await;
    let is_ready = match ready {
        Ok(_) => true,
        // It answers, though not with yes.
        Err(failure) if failure.status.is_some() => false,
        Err(failure) => return Err(failure),
    };
    let options = attempt(http.get(server.at("/api/v1/sessions/options")), server).await;
    let version = match options {
        Ok(options) => body_of(options).await["version"].as_str().map(str::to_owned),
        Err(_) => None,
    };
    Ok((version, is_ready))
}

fn server_lines(server: &ServerUrl, is_ready: bool, version: Option<String>) -> [(&'static str, String); 2] {
    let is_ready = if is_ready { "ready" } else { "not ready" };
    [
        ("server", format!("{server}, {is_ready}")),
        ("version", version.unwrap_or_default()),
    ]
}

/// `12: 10 healthy, 2 failing`
fn counts(overview: &Value) -> String {
    let states = ["healthy", "rotating", "failing", "overdue", "paused"];
    let counted: Vec<_> = states
        .iter()
        .filter_map(|state| {
            Some((
                overview["states"][state].as_u64().filter(|count| *count > 0)?,
                state,
            ))
        })
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    match overview["totalCount"].as_u64() {
        Some(0) | None => "none yet; see keywheel rotations create --help".to_owned(),
        Some(total) => format!("{total}: {}", counted.join(", ")),
    }
}

fn named(overview: &Value, field: &str, heading: &str) -> String {
    let now = time::now();
    let rows: Vec<_> = items(overview, field)
        .map(|rotation| {
            [
                text(rotation, "/name"),
                text(rotation, "/environment/slug"),
                time::since(rotation["nextRotationAt"].as_str(), now),
                text(rotation, "/lastRotationMessage"),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table([heading, "ENV", "NEXT", "MESSAGE"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_states_that_some_have_are_counted() {
        let states = json!({"healthy": 2, "rotating": 0, "failing": 1, "overdue": 0, "paused": 1});
        let overview = json!({"totalCount": 4, "states": states});
        assert_eq!(counts(&overview), "4: 2 healthy, 1 failing, 1 paused");
    }
}
