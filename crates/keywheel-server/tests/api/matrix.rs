//! The permission matrix: every operation of the API document, called by everyone.
//!
//! | module | what it holds |
//! |---|---|
//! | [`table`] | who may call what, by hand |
//! | [`request`] | requests, made from the document |
//! | [`world`] | what there is to act on, and who comes |
//! | [`findings`] | what is wrong with an answer, all of it at the end |

mod findings;
mod request;
mod table;
mod world;

use std::collections::BTreeSet;

use keywheel_core::clock::Millis;
use serde_json::json;

use self::findings::{Findings, denial, refusal};
use self::request::{Names, Operation};
use self::table::{Need, OPERATIONS, SHORT_OF_SUCCESS, UNKNOWN, missing, need};
use self::world::{Caller, SHORT_TTL, Stage};
use crate::support::{Seen, TestApp};

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Answered,
    /// For lack of this permission.
    Denied(&'static str, &'static str),
    /// Who is no member of a project has no role that could lack a permission.
    NoMember,
}

async fn operations(app: &TestApp) -> Vec<Operation> {
    Operation::of(&app.nobody().get("/api/docs/json").await.ok())
}

fn is_public(operation: &Operation) -> bool {
    need(&operation.id) == Some(Need::Public)
}

/// What an operation needs, with what it acts on: those that act on connections come twice.
fn cases<'a>(operation: &Operation, stage: &'a Stage) -> Vec<(Need, &'a Names)> {
    match need(&operation.id) {
        Some(Need::Connection(permissions)) => vec![
            (Need::Project(permissions), &stage.names),
            (Need::Organization(permissions), &stage.in_organization),
        ],
        Some(need @ Need::Either(_)) if operation.is_below("project") => vec![(need, &stage.names)],
        Some(Need::Either(permission)) => vec![
            (Need::Either(permission), &stage.names),
            (Need::Organization(permission), &stage.in_organization),
        ],
        Some(Need::Public) | None => Vec::new(),
        Some(need) => vec![(need, &stage.names)],
    }
}

fn fate(need: Need, caller: &Caller) -> Fate {
    let permitted = |permissions, role| match missing(permissions, role) {
        Some((action, subject)) => Fate::Denied(action, subject),
        None => Fate::Answered,
    };
    match (need, caller.project) {
        (Need::Organization(permissions), _) => permitted(permissions, caller.organization),
        (Need::Either(permission), _) if missing(permission, caller.organization).is_none() => Fate::Answered,
        (Need::Project(permissions) | Need::Either(permissions), Some(role)) => permitted(permissions, role),
        (Need::Project(_) | Need::Either(_), None) => Fate::NoMember,
        _ => Fate::Answered,
    }
}

/// Who calls what, for the texts of findings.
fn story(caller: &Caller, operation: &Operation, need: Need) -> String {
    let (organization, _) = caller.organization;
    let project = caller.project.map_or("nobody", |(role, _)| role);
    format!(
        "{}, which needs {need:?}, by {organization} of the organization and {project} in the project",
        operation.id
    )
}

#[tokio::test]
async fn the_table_and_the_document_have_the_same_operations() {
    let app = TestApp::start().await;
    let operations = operations(&app).await;
    for operation in &operations {
        let Some(need) = need(&operation.id) else {
            panic!(
                "nobody has said who may call {}: add a line to OPERATIONS in tests/api/matrix/table.rs, such as \
                 (\"{}\", Project(\"read secrets\")), with the permissions in the order in which they are asked for; \
                 or Organization, Connection or Either in place of Project; Anyone for any good token; Public for no token",
                operation.id, operation.id
            );
        };
        assert_eq!(
            need == Need::Public,
            operation.is_public,
            "the document and the table differ in whether {} needs a token",
            operation.id
        );
    }
    let ids: BTreeSet<&str> = operations.iter().map(|operation| operation.id.as_str()).collect();
    for (id, _) in OPERATIONS {
        assert!(
            ids.contains(id),
            "{id} is gone from the API document: take its line out of OPERATIONS in tests/api/matrix/table.rs"
        );
    }
}

#[tokio::test]
async fn without_a_good_token_nobody_gets_in() {
    let stage = Stage::build().await;
    let app = stage.app().await;
    app.pass(Millis::from_secs(SHORT_TTL));
    let mut findings = Findings::default();
    for operation in operations(&app).await.iter().filter(|o| !is_public(o)) {
        let request = operation.request(&stage.names);
        for bad in &stage.bad_tokens {
            let story = format!("{} with {}", operation.id, bad.what);
            let revision = app.app.store().revision();
            let seen = request.send(&app.client(&bad.token)).await;
            findings.refused(&seen, &refusal(bad.status, bad.error, bad.message), &story);
            findings.unchanged(app.app.store().revision() == revision, &story);
        }
    }
    findings.report();
    stage.assert_aws_was_left_alone();
}

#[tokio::test]
async fn what_is_public_asks_nobody_for_a_token() {
    let stage = Stage::build().await;
    let mut findings = Findings::default();
    for operation in operations(&stage.app().await)
        .await
        .iter()
        .filter(|o| is_public(o))
    {
        let mut app = stage.app().await;
        let revision = app.app.store().revision();
        let request = operation.request(&stage.names);
        let bad = stage.bad_tokens.iter().map(|bad| (bad.what, &bad.token));
        for (what, token) in bad.chain([("a good token", &stage.foreign_token)]) {
            if app.app.store().revision() != revision {
                // A link is good once.
                app = stage.app().await;
            }
            let seen = request.send(&app.client(token)).await;
            answered(
                &mut findings,
                &seen,
                operation,
                &format!("{} with {what}", operation.id),
            );
        }
    }
    findings.report();
}

#[tokio::test]
async fn who_lacks_a_permission_is_told_which_and_changes_nothing() {
    let stage = Stage::build().await;
    let app = stage.app().await;
    let mut findings = Findings::default();
    for operation in operations(&app).await {
        for (need, names) in cases(&operation, &stage) {
            let request = operation.request(names);
            for caller in &stage.callers {
                let expected = match fate(need, caller) {
                    Fate::Answered => continue,
                    Fate::NoMember => refusal(403, "ForbiddenError", "You are not a member of this project"),
                    Fate::Denied(action, subject) => denial(action, subject),
                };
                let story = story(caller, &operation, need);
                let revision = app.app.store().revision();
                let seen = request.send(&app.client(&caller.token)).await;
                findings.refused(&seen, &expected, &story);
                findings.unchanged(app.app.store().revision() == revision, &story);
            }
        }
    }
    findings.report();
    stage.assert_aws_was_left_alone();
}

#[tokio::test]
async fn who_has_the_permission_gets_an_answer() {
    let stage = Stage::build().await;
    let mut findings = Findings::default();
    let mut app = stage.app().await;
    let mut revision = app.app.store().revision();
    for operation in operations(&app).await {
        for (need, names) in cases(&operation, &stage) {
            let request = operation.request(names);
            for caller in stage.callers.iter().filter(|c| fate(need, c) == Fate::Answered) {
                // What the last call changed, this one finds as it was; tests of webhooks are counted in memory.
                if app.app.store().revision() != revision || operation.id == "testWebhook" {
                    app = stage.app().await;
                    revision = app.app.store().revision();
                }
                let seen = request.send(&app.client(&caller.token)).await;
                answered(&mut findings, &seen, &operation, &story(caller, &operation, need));
            }
        }
    }
    findings.report();
}

/// Checks that an operation did what it is there for, or came as far as this world lets it.
fn answered(findings: &mut Findings, seen: &Seen, operation: &Operation, story: &str) {
    let short = SHORT_OF_SUCCESS
        .iter()
        .find(|(ids, ..)| ids.contains(&operation.id.as_str()));
    findings.answered(seen, short.map(|(_, text)| *text), story);
}

#[tokio::test]
async fn another_organization_cannot_tell_what_is_there_from_what_is_not() {
    let stage = Stage::build().await;
    let app = stage.app().await;
    let foreigner = app.client(&stage.foreign_token);
    let mut findings = Findings::default();
    for operation in operations(&app).await {
        let status = UNKNOWN.iter().find(|(id, _)| *id == operation.id);
        let status = status.map_or(404, |(_, status)| *status);
        for (_, names) in cases(&operation, &stage) {
            let nothing = names.of_nothing();
            let (real, unreal) = (operation.request(names), operation.request(&nothing));
            if real == unreal {
                // It names nothing of the other organization.
                continue;
            }
            let revision = app.app.store().revision();
            let (there, not_there) = (real.send(&foreigner).await, unreal.send(&foreigner).await);
            findings.same((&there, names), (&not_there, &nothing), status, &operation.id);
            findings.unchanged(app.app.store().revision() == revision, &operation.id);
        }
    }
    findings.report();
    stage.assert_aws_was_left_alone();
}

#[tokio::test]
async fn an_identity_of_another_organization_cannot_become_a_member() {
    let stage = Stage::build().await;
    let app = stage.app().await;
    let admin = app.client(&stage.in_project("admin").token);
    let path = format!(
        "/api/v2/workspace/{}/identity-memberships/{}",
        stage.names.text("projectId"),
        stage.foreigner.id
    );
    let text = format!("Failed to find identity with ID {}", stage.foreigner.id);
    let seen = admin.post(&path, json!({"role": "viewer"})).await;
    seen.refused(404, "NotFound", &text);
}
