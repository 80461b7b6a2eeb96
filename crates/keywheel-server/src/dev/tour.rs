//! What `keywheel dev` says when it is ready.

use std::path::Path;

use super::notes::Credentials;
use super::seed::{DEMO_USER, SECOND_USER};

/// Prints what was made, and lines to copy and paste.
#[expect(clippy::print_stdout, reason = "it is what the command is for")]
pub(super) fn print(made: &Credentials, folder: &Path) {
    println!("{}", text(made, folder));
}

fn text(made: &Credentials, folder: &Path) -> String {
    let Credentials {
        url,
        admin_email,
        admin_password,
        client_id,
        client_secret,
        project_id,
        rotation_id,
        sandbox_url,
        environment,
        ..
    } = made;
    let secret = format!("{url}/api/v3/secrets/raw");
    let place = format!("workspaceId={project_id}&environment={environment}&secretPath=/");
    format!(
        "
Keywheel is ready at {url}

  console     {url}/ in a browser: sign in as {admin_email} with the password {admin_password}
  IAM users   {DEMO_USER}, and {SECOND_USER} for a rotation of yours, in an AWS sandbox at {sandbox_url}
  rotation    demo-app: a new access key every 30 days, published as the secrets
              AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment {environment}
  data        {}; the token of an administrator is the adminToken in its dev.json

Log in:

TOKEN=$(curl -s {url}/api/v1/auth/universal-auth/login -d '{{\"clientId\":\"{client_id}\",\"clientSecret\":\"{client_secret}\"}}' | sed 's/.*\"accessToken\":\"\\([^\"]*\\)\".*/\\1/')

Read the published key:

curl -s -H \"Authorization: Bearer $TOKEN\" \"{secret}/AWS_ACCESS_KEY_ID?{place}\"

Rotate now (create, verify, publish; the previous key keeps working):

curl -s -H \"Authorization: Bearer $TOKEN\" -X POST {url}/api/v2/secret-rotations/aws-iam-user-secret/{rotation_id}/rotate-secrets

Look at the keys as AWS sees them:

curl -s {sandbox_url}/_sandbox/users/{DEMO_USER}

Stop with Ctrl-C; started again on the same folder it continues where it was.
",
        folder.display()
    )
}
