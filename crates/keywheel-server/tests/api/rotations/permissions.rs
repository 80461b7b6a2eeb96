//! Who may do what with rotations (contract, section 6).

use super::errors::{BY_ID, call};
use super::stage::{ROTATIONS, Stage};
use serde_json::json;

/// What the built-in roles may do.
fn allows(role: &str, action: &str) -> bool {
    role == "admin" || (["member", "viewer"].contains(&role) && action == "read")
}

#[tokio::test]
async fn roles_of_a_project_allow_the_six_actions_as_the_contract_says() {
    let stage = Stage::set().await;
    for role in ["admin", "member", "viewer", "no-access"] {
        let client = stage.member(role).await;
        for (method, rest, action) in BY_ID {
            let id = stage.rotation().await;
            let seen = call(&client, method, &id, rest).await;
            if allows(role, action) {
                assert!(
                    [200, 204].contains(&seen.status),
                    "{role} {action}: {}",
                    seen.status
                );
            } else {
                let text = format!("You are not allowed to {action} on secret-rotation");
                seen.refused(403, "PermissionDenied", &text);
            }
            stage
                .delete(&id, "?deleteSecrets=true&revokeGeneratedCredentials=true")
                .await;
            stage.clear().await;
        }
    }
}

#[tokio::test]
async fn who_is_no_member_of_the_project_may_nothing() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let stranger = stage.member("").await;
    for (method, rest, _) in BY_ID {
        let seen = call(&stranger, method, &id, rest).await;
        seen.refused(403, "ForbiddenError", "You are not a member of this project");
    }
    let seen = stranger.post(ROTATIONS, stage.body(json!({"name": "x"}))).await;
    assert_eq!(seen.status, 403);
}
