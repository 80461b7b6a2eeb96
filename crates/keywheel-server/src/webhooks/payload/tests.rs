//! The payloads of the contract, and signatures that others have computed.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::{EnvironmentId, IdentityId, ProjectId, RotationId, WebhookId};
use keywheel_core::ledger::Author;
use keywheel_core::names::Slug;
use keywheel_core::webhooks::{AboutRotation, PathGlob, StrangeKey};
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
    serde_json::from_str(&text(kind, news)).unwrap()
}

fn text(kind: WebhookKind, news: &News<'_>) -> String {
    with_subject(kind, |subject| body(subject, news, AT))
}

fn with_subject<T>(kind: WebhookKind, then: impl FnOnce(&Subject<'_>) -> T) -> T {
    then(&Subject {
        webhook: &webhook(kind),
        project_name: &Title::parse("name", "Demo").unwrap(),
        path: &SecretPath::parse("/aws").unwrap(),
    })
}

const MODIFIED: Occurrence = Occurrence::SecretsModified { by: Author::Platform };

fn happened(occurrence: &Occurrence) -> News<'_> {
    let by = occurrence.by().map(|_| Changer::Platform);
    News::Happened { occurrence, by }
}

fn failed() -> Occurrence {
    Occurrence::RotationFailed {
        rotation: "demo".to_owned(),
        category: "a refusal of AWS".to_owned(),
        is_manual: true,
    }
}

fn about() -> AboutRotation {
    AboutRotation {
        id: RotationId::new(AT, &[4; 10]),
        name: "demo".to_owned(),
        user: "demo-app".to_owned(),
    }
}

/// One of each of Keywheel's own events.
fn own() -> [Occurrence; 4] {
    let key = AccessKeyId::from_trusted;
    [
        Occurrence::Rotated {
            rotation: about(),
            by: Author::Identity(IdentityId::new(AT, &[5; 10])),
            key: key("AKIA2"),
            previous: Some(key("AKIA1")),
            previous_retires_at: Some(AT),
            is_roll_back: false,
        },
        Occurrence::KeySuspect {
            rotation: about(),
            key: key("AKIA3"),
            kind: StrangeKey::Foreign,
            created_at: None,
        },
        Occurrence::KeyRetiringInUse {
            rotation: about(),
            key: key("AKIA1"),
            retires_at: None,
            is_held: true,
            kept_until: Some(AT),
            used_at: AT,
            service: "s3".to_owned(),
        },
        Occurrence::RotationOverdue {
            rotation: about(),
            due_at: AT,
        },
    ]
}

#[test]
fn the_general_payload_of_our_own_events_names_the_rotation_and_its_keys() {
    let at = AT.to_string();
    let more = [
        json!({"accessKeyId": "AKIA2", "previousAccessKeyId": "AKIA1", "previousRetiresAt": at, "isRollBack": false,
            "changedBy": "platform", "changedByActorType": "platform"}),
        json!({"accessKeyId": "AKIA3", "kind": "foreign", "createdAt": null}),
        json!({"accessKeyId": "AKIA1", "retiresAt": null, "isHeldBack": true, "keptUntil": at,
            "lastUsedAt": at, "lastUsedService": "s3"}),
        json!({"dueAt": at}),
    ];
    for (occurrence, more) in own().iter().zip(more) {
        let mut project = json!({"projectId": webhook(WebhookKind::General).project, "projectName": "Demo",
            "environment": "dev", "environmentName": "Dev <!channel>", "secretPath": "/aws",
            "rotationId": about().id, "rotationName": "demo", "userName": "demo-app"});
        project
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let seen = told(WebhookKind::General, &happened(occurrence));
        assert_eq!(seen["project"], project);
        assert_eq!(seen["event"], occurrence.event().as_str());
    }
}

#[test]
fn people_are_told_of_every_event_what_where_and_what_to_do() {
    for occurrence in own() {
        let news = happened(&occurrence);
        let (slack, teams) = (
            told(WebhookKind::Slack, &news),
            told(WebhookKind::MicrosoftTeams, &news),
        );
        let fields = &slack["attachments"][0]["fields"];
        let facts = &teams["attachments"][0]["content"]["body"][1]["facts"];
        let mail = text(WebhookKind::Email, &news);
        for part in ["/aws", "demo", "demo-app"] {
            assert!(
                fields.to_string().contains(part) && facts.to_string().contains(part),
                "{part}"
            );
            assert!(mail.contains(part), "{part}: {mail}");
        }
        let last = fields.as_array().unwrap().last().unwrap();
        assert_eq!(last["title"], "What to do");
        assert!(mail.contains("\n\nWhat to do: "), "{mail}");
        let subject = with_subject(WebhookKind::Email, |subject| words::subject_line(subject, &news));
        assert!(
            subject.starts_with("[Keywheel] ") && subject.ends_with(" in dev /aws"),
            "{subject}"
        );
    }
}

#[test]
fn a_mail_of_a_failure_says_so_in_its_subject() {
    let (failed, news) = (failed(), News::Test);
    let subject =
        |news: &News<'_>| with_subject(WebhookKind::Email, |subject| words::subject_line(subject, news));
    assert_eq!(
        subject(&happened(&failed)),
        "[Keywheel] Rotation demo failed in dev /aws"
    );
    assert_eq!(subject(&news), "[Keywheel] A test of this webhook in dev /aws");
}

#[test]
fn a_name_makes_no_second_line_wherever_it_is_shown() {
    let mut webhook = webhook(WebhookKind::Email);
    webhook.environment.name = "Dev\r\n\nPay here:\u{2028}https://x.example\u{7}".to_owned();
    let subject = Subject {
        webhook: &webhook,
        project_name: &Title::parse("name", "Demo").unwrap(),
        path: &SecretPath::parse("/aws").unwrap(),
    };
    let line = "Dev   Pay here: https://x.example ";
    let mail = body(&subject, &News::Test, AT);
    assert!(mail.contains(&format!("\nEnvironment: {line}\n")), "{mail}");
    assert!(words::facts(&subject, &News::Test).contains(&("Environment", line.to_owned())));
}

#[test]
fn a_suspect_is_resolved_in_the_words_of_the_api() {
    let mut own = own();
    for occurrence in &mut own {
        if let Occurrence::KeySuspect { kind, .. } = occurrence {
            *kind = StrangeKey::Suspect;
            let advice = words::advice(&happened(occurrence)).unwrap();
            assert!(
                advice.contains("`ours`") && advice.contains("`theirs`"),
                "{advice}"
            );
            return;
        }
    }
    panic!("a suspect was expected");
}

#[test]
fn names_make_no_links_in_teams() {
    assert_eq!(
        without_links("[pay](https://x.example)"),
        "[pay] (https://x.example)"
    );
}

#[test]
fn the_general_payload_of_each_event_has_exactly_the_fields_of_the_contract() {
    let id = webhook(WebhookKind::General).project;
    let place = json!({"projectId": id, "projectName": "Demo", "environment": "dev",
        "environmentName": "Dev <!channel>", "secretPath": "/aws"});
    let modified = |by| News::Happened {
        occurrence: &MODIFIED,
        by: Some(by),
    };
    let failed = failed();
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
            happened(&failed),
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
    let body = told(WebhookKind::Slack, &happened(&failed()));
    assert_eq!(body["text"], "A secret rotation failed.");
    assert_eq!(body["attachments"].as_array().unwrap().len(), 1);
    let fields = body["attachments"][0]["fields"].as_array().unwrap();
    let titles: Vec<&str> = fields.iter().map(|f| f["title"].as_str().unwrap()).collect();
    assert_eq!(
        titles,
        [
            "Project",
            "Environment",
            "Secret path",
            "Rotation",
            "Error",
            "What to do"
        ]
    );
    assert_eq!(fields[1]["value"], "Dev &lt;!channel&gt;");
}

#[test]
fn teams_gets_an_adaptive_card_with_a_fact_set() {
    let body = told(WebhookKind::MicrosoftTeams, &happened(&MODIFIED));
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
