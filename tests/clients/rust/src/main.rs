//! Does with the Rust SDK what the story asks for: one command per line in, one answer per line out.
//!
//!     keywheel-client-rust URL

use std::error::Error;
use std::io::{self, BufRead, Write};

use infisical::resources::secrets::{
    CreateSecretRequest, DeleteSecretRequest, GetSecretRequest, ListSecretsRequest, Secret,
    UpdateSecretRequest,
};
use infisical::{AuthMethod, Client, InfisicalError};
use serde_json::{Value, json};

type Outcome = Result<Value, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .ok_or("the address of the server is missing")?;
    let mut client = Client::builder().base_url(url).build().await?;
    for line in io::stdin().lock().lines() {
        let answer = match obey(&mut client, &serde_json::from_str(&line?)?).await {
            Ok(done) => json!({ "done": done }),
            Err(error) => json!({ "refused": reason(error.as_ref()) }),
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

async fn obey(client: &mut Client, command: &Value) -> Outcome {
    let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
    let (name, project, environment, path) = (
        text("secretName"),
        text("projectId"),
        text("environment"),
        text("secretPath"),
    );
    match command["do"].as_str() {
        Some("login") => {
            let method = AuthMethod::new_universal_auth(text("clientId"), text("clientSecret"));
            client.login(method).await?;
            Ok(json!({}))
        }
        Some("list") => {
            let request = ListSecretsRequest::builder(project, environment)
                .path(path)
                .recursive(command["recursive"].as_bool().unwrap_or_default())
                .expand_secret_references(command["expandSecretReferences"].as_bool().unwrap_or(true))
                .build();
            let secrets = client.secrets().list(request).await?;
            Ok(json!({ "secrets": secrets.iter().map(shown).collect::<Vec<_>>() }))
        }
        Some("get") => {
            let request = GetSecretRequest::builder(name, project, environment)
                .path(path)
                .expand_secret_references(command["expandSecretReferences"].as_bool().unwrap_or(true))
                .build();
            Ok(shown(&client.secrets().get(request).await?))
        }
        Some("create") => {
            let request = CreateSecretRequest::builder(name, text("secretValue"), project, environment)
                .path(path)
                .secret_comment(text("secretComment"))
                .build();
            Ok(shown(&client.secrets().create(request).await?))
        }
        Some("update") => {
            let mut request = UpdateSecretRequest::builder(name, project, environment).path(path);
            if let Some(value) = command["secretValue"].as_str() {
                request = request.secret_value(value);
            }
            if let Some(name) = command["newSecretName"].as_str() {
                request = request.new_secret_name(name);
            }
            Ok(shown(&client.secrets().update(request.build()).await?))
        }
        Some("delete") => {
            let request = DeleteSecretRequest::builder(name, project, environment)
                .path(path)
                .build();
            Ok(shown(&client.secrets().delete(request).await?))
        }
        _ => Err("this client cannot do that".into()),
    }
}

/// What went wrong, with what the server said about it.
fn reason(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref() {
        Some(InfisicalError::HttpError { message, .. }) => format!("{error}: {message}"),
        _ => error.to_string(),
    }
}

/// A secret under the names that the other clients give to its fields.
fn shown(secret: &Secret) -> Value {
    json!({
        "id": secret.id,
        "workspace": secret.project_id,
        "version": secret.version,
        "type": secret.secret_type,
        "environment": secret.environment,
        "secretKey": secret.secret_key,
        "secretValue": secret.secret_value,
        "secretComment": secret.secret_comment,
    })
}
