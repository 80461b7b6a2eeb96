//! The payloads of the contract, and signatures that others have computed.

use keywheel_core::ids::{EnvironmentId, ProjectId, WebhookId};
use keywheel_core::names::Slug;
use keywheel_core::webhooks::PathGlob;
use keywheel_store::webhooks::WebhookEnvironment;

use super::*;

const AT: Moment = Moment::from_millis(1_773_135_000_000);

fn webhook(kind: WebhookKind) -> Webhook {
    Webhook {
        id: WebhookId::new(AT, &[1; 10]),
        project: ProjectId::new(AT, &[2; 10]),
        environment: WebhookEnvironment {
            id: EnvironmentId::new(AT, &[3; 10]),
            name: "Dev <!channel>".to_owned(),
            slug: Slug::from_stored("dev".to_owned()),
        },
        kind,
        place: PathGlob::parse("/**").unwrap(),
        url: Vec::new(),
        signing_key: None,
        events: Vec::new(),
        disabled: false,
        last_run: None,
        created_at: AT,
        updated_at: AT,
    }
}

fn told(kind: WebhookKind, news: &News<'_>) -> Value {
    let subject = Subject {
        webhook: &webhook(kind),
        project_name: &Title::parse("name", "Demo").unwrap(),
        path: &SecretPath::parse("/aws").unwrap(),
    };
    body(&subject, news, AT)
}

const FAILED: News<'static> = News::RotationFailed {
    rotation: "demo",
    category: "a refusal of AWS",
    is_manual: true,
};

#[test]
fn the_general_payload_of_each_event_has_exactly_the_fields_of_the_contract() {
    let id = webhook(WebhookKind::General).project;
    let place = json!({"projectId": id, "projectName": "Demo", "environment": "dev",
        "environmentName": "Dev <!channel>", "secretPath": "/aws"});
    let modified = |changer| News::Modified(changer);
    for (news, event, more) in [
        (News::Test, "test", json!({"workspaceId": id})),
        (
            modified(Changer::Identity("ci".to_owned())),
            "secrets.modified",
            json!({"workspaceId": id, "changedBy": "ci", "changedByActorType": "identity"}),
        ),
        (
            modified(Changer::Platform),
            "secrets.modified",
            json!({"workspaceId": id, "changedBy": "platform", "changedByActorType": "platform"}),
        ),
        (
            FAILED,
            "secrets.rotation-failed",
            json!({"rotationName": "demo", "triggeredManually": true, "errorMessage": "Credential rotation failed due \
                to a refusal of AWS. Check the rotation status in the dashboard for more details."}),
        ),
    ] {
        let mut project = place.clone();
        project
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let expected = json!({"event": event, "project": project, "timestamp": 1_773_135_000_000_i64});
        assert_eq!(told(WebhookKind::General, &news), expected);
    }
}

#[test]
fn slack_gets_a_text_and_one_attachment_in_which_names_are_no_markup() {
    let body = told(WebhookKind::Slack, &FAILED);
    assert_eq!(body["text"], "A secret rotation failed.");
    assert_eq!(body["attachments"].as_array().unwrap().len(), 1);
    let fields = body["attachments"][0]["fields"].as_array().unwrap();
    let titles: Vec<&str> = fields.iter().map(|f| f["title"].as_str().unwrap()).collect();
    assert_eq!(
        titles,
        ["Project", "Environment", "Secret path", "Rotation", "Error"]
    );
    assert_eq!(fields[1]["value"], "Dev &lt;!channel&gt;");
}

#[test]
fn teams_gets_an_adaptive_card_with_a_fact_set() {
    let body = told(WebhookKind::MicrosoftTeams, &News::Modified(Changer::Platform));
    let card = &body["attachments"][0]["content"];
    assert_eq!(
        (&body["type"], &card["type"]),
        (&json!("message"), &json!("AdaptiveCard"))
    );
    assert_eq!(card["body"][0]["text"], "Secrets were changed.");
    assert_eq!(card["body"][1]["type"], "FactSet");
    assert_eq!(
        card["body"][1]["facts"][3],
        json!({"title": "Changed by", "value": "platform"})
    );
}

/// RFC 4231, test case 2: the key "Jefe".
#[test]
fn a_signature_is_the_hmac_of_the_exact_body_after_its_time() {
    let key = SecretString::from("Jefe");
    let expected = "t=7;5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let at = Moment::from_millis(7);
    assert_eq!(signature(&key, at, "what do ya want for nothing?"), expected);
    assert_ne!(signature(&key, at, "what do ya want for nothing? "), expected);
}
