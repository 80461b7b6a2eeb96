//! The rules of the account, without HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "helpers of tests fail by panicking"
)]

use keywheel_sandbox::clock::Moment;
use keywheel_sandbox::foreign::ForeignAct;
use keywheel_sandbox::model::{
    Account, Answer, AssumeRole, Call, Code, ListedKey, NewKey, OneOrMany, Page, PolicyDocument, Propagation,
    PropagationRule, Refusal, Signer, Statement,
};

const START: Moment = Moment::from_millis(1_773_135_000_120);
const REGION: &str = "us-east-1";

fn account() -> Account {
    let mut account = Account::new("111122223333", 1);
    account.create_user(START, "demo", Some("/apps/")).unwrap();
    account
}

fn name() -> String {
    "demo".to_owned()
}

fn root(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    account.perform(START, &Signer::Root, call)
}

fn create(account: &mut Account) -> Result<NewKey, Refusal> {
    match root(
        account,
        &Call::CreateAccessKey {
            user_name: Some(name()),
        },
    )? {
        Answer::NewKey(key) => Ok(key),
        other => panic!("{other:?}"),
    }
}

fn set_status(account: &mut Account, key: &str, status: &str) -> Result<Answer, Refusal> {
    let call = Call::UpdateAccessKey {
        user_name: Some(name()),
        access_key_id: key.to_owned(),
        status: status.to_owned(),
    };
    root(account, &call)
}

fn delete(account: &mut Account, key: &str) -> Result<Answer, Refusal> {
    let call = Call::DeleteAccessKey {
        user_name: Some(name()),
        access_key_id: key.to_owned(),
    };
    root(account, &call)
}

fn list(account: &mut Account, page: Page) -> (Vec<ListedKey>, Option<String>) {
    let call = Call::ListAccessKeys {
        user_name: Some(name()),
        page,
    };
    match root(account, &call).unwrap() {
        Answer::Keys { page, .. } => (page.items, page.marker),
        other => panic!("{other:?}"),
    }
}

fn accepts(account: &Account, key: &str, region: &str, after_ms: i64) -> bool {
    account
        .credential(key, None, region, START.plus(after_ms))
        .is_ok()
}

#[test]
fn a_third_key_is_refused_even_if_one_is_inactive() {
    let mut account = account();
    let first = create(&mut account).unwrap();
    create(&mut account).unwrap();
    set_status(&mut account, &first.access_key_id, "Inactive").unwrap();
    let refusal = create(&mut account).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2"
    );
    delete(&mut account, &first.access_key_id).unwrap();
    create(&mut account).unwrap();
}

#[test]
fn a_key_is_accepted_exactly_while_it_is_active() {
    let mut account = account();
    let key = create(&mut account).unwrap().access_key_id;
    for (status, accepted) in [("Active", true), ("Inactive", false), ("Active", true)] {
        set_status(&mut account, &key, status).unwrap();
        assert_eq!(accepts(&account, &key, REGION, 0), accepted, "{status}");
    }
    delete(&mut account, &key).unwrap();
    let refusal = account.credential(&key, None, REGION, START).unwrap_err();
    assert_eq!(refusal.code, Code::InvalidClientTokenId);
}

#[test]
fn a_deleted_or_unknown_key_cannot_be_deleted_again() {
    let mut account = account();
    let key = create(&mut account).unwrap().access_key_id;
    delete(&mut account, &key).unwrap();
    for id in [key.as_str(), "AKIAUNKNOWN000000000"] {
        let refusal = delete(&mut account, id).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!("NoSuchEntity: The Access Key with id {id} cannot be found.")
        );
    }
}

#[test]
fn only_active_and_inactive_can_be_set() {
    let mut account = account();
    let key = create(&mut account).unwrap().access_key_id;
    for bad in ["Expired", "active", ""] {
        assert_eq!(
            set_status(&mut account, &key, bad).unwrap_err().code,
            Code::ValidationError
        );
    }
}

#[test]
fn user_names_are_unique_without_regard_to_case_and_follow_the_pattern() {
    let mut account = account();
    let make = |account: &mut Account, name: &str| account.create_user(START, name, None).map(|_| ());
    assert_eq!(
        make(&mut account, "DEMO").unwrap_err().code,
        Code::EntityAlreadyExists
    );
    for bad in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
        assert_eq!(
            make(&mut account, bad).unwrap_err().code,
            Code::ValidationError,
            "{bad:?}"
        );
    }
    make(&mut account, &"x".repeat(64)).unwrap();
}

#[test]
fn a_user_with_keys_is_not_deleted_and_made_again_it_is_another_user() {
    let mut account = account();
    let key = create(&mut account).unwrap().access_key_id;
    assert_eq!(
        account.delete_user("demo").unwrap_err().code,
        Code::DeleteConflict
    );
    let before = account.user_view("demo").unwrap();
    let act = ForeignAct::RecreateUser {
        user_name: "Demo".to_owned(),
    };
    act.perform(&mut account, START).unwrap();
    let after = account.user_view("demo").unwrap();
    assert_eq!(after.arn, before.arn);
    assert_ne!(after.user_id, before.user_id);
    assert!(!accepts(&account, &key, REGION, 0));
}

#[test]
fn pages_show_every_key_once_in_order_of_creation() {
    let mut account = account();
    let made = [create(&mut account).unwrap(), create(&mut account).unwrap()];
    let page = |marker| Page {
        marker,
        max_items: Some(1),
    };
    let (first, marker) = list(&mut account, page(None));
    let (second, end) = list(&mut account, page(marker));
    assert_eq!(end, None);
    assert_eq!(first[0].access_key_id, made[0].access_key_id);
    assert_eq!(second[0].access_key_id, made[1].access_key_id);
}

#[test]
fn regions_follow_late_and_not_in_one_direction_while_the_list_is_right_at_once() {
    let mut account = account();
    let rule = PropagationRule {
        region: Some("eu-central-1".to_owned()),
        toggles_ms: vec![2_000, 5_000, 7_000],
        ..PropagationRule::default()
    };
    account.set_propagation(Propagation::from(vec![rule]));
    let key = create(&mut account).unwrap().access_key_id;
    assert_eq!(list(&mut account, Page::default()).0.len(), 1);
    assert!(accepts(&account, &key, REGION, 0));
    for (after_ms, accepted) in [
        (0, false),
        (1_999, false),
        (2_000, true),
        (5_000, false),
        (7_000, true),
        (99_000, true),
    ] {
        assert_eq!(
            accepts(&account, &key, "eu-central-1", after_ms),
            accepted,
            "{after_ms} ms"
        );
    }
}

#[test]
fn a_deleted_key_works_on_in_a_region_that_has_not_seen_it() {
    let mut account = account();
    let key = create(&mut account).unwrap().access_key_id;
    let rule = PropagationRule {
        access_key_id: Some(key.clone()),
        toggles_ms: vec![3_000],
        ..PropagationRule::default()
    };
    account.set_propagation(Propagation::from(vec![rule]));
    let call = Call::DeleteAccessKey {
        user_name: Some(name()),
        access_key_id: key.clone(),
    };
    account.perform(START.plus(10_000), &Signer::Root, &call).unwrap();
    assert!(accepts(&account, &key, REGION, 12_999));
    assert!(!accepts(&account, &key, REGION, 13_000));
    assert!(list(&mut account, Page::default()).0.is_empty());
}

#[test]
fn last_use_is_the_first_of_its_span_and_visible_after_the_lag() {
    let mut account = account();
    let key = create(&mut account).unwrap().access_key_id;
    let used = |account: &mut Account, now: i64| {
        let call = Call::GetAccessKeyLastUsed {
            access_key_id: key.clone(),
        };
        match account
            .perform(Moment::from_millis(now), &Signer::Root, &call)
            .unwrap()
        {
            Answer::LastUsed { used, .. } => used.map(|used| used.at.as_millis()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(used(&mut account, 0), None);
    let span = 15 * 60 * 1_000;
    for at in [span, span + 1, 2 * span - 1] {
        account.record_use(&key, "sts", REGION, Moment::from_millis(at));
    }
    assert_eq!(used(&mut account, 2 * span), Some(span));
    account.set_last_used_lag_ms(4 * span);
    assert_eq!(used(&mut account, 5 * span - 1), None);
    assert_eq!(used(&mut account, 5 * span), Some(span));
}

fn policy(effect: &str, action: &str, resource: &str) -> Statement {
    Statement {
        sid: None,
        effect: if effect == "Allow" {
            keywheel_sandbox::model::Effect::Allow
        } else {
            keywheel_sandbox::model::Effect::Deny
        },
        action: OneOrMany::One(action.to_owned()),
        resource: OneOrMany::One(resource.to_owned()),
    }
}

fn document(statements: Vec<Statement>) -> PolicyDocument {
    PolicyDocument {
        version: None,
        statement: OneOrMany::Many(statements),
    }
}

#[test]
fn a_policy_that_names_the_user_without_its_path_allows_nothing() {
    let mut account = account();
    let me = Signer::User(account.user_view("demo").unwrap().user_id);
    let call = Call::CreateAccessKey {
        user_name: Some(name()),
    };
    for (resource, allowed) in [
        ("arn:aws:iam::111122223333:user/demo", false),
        ("arn:aws:iam::111122223333:user/apps/demo", true),
    ] {
        let allow = document(vec![policy("Allow", "iam:*AccessKey*", resource)]);
        account.set_user_policy("demo", Some(allow)).unwrap();
        assert_eq!(account.perform(START, &me, &call).is_ok(), allowed, "{resource}");
    }
    account.set_user_policy("demo", None).unwrap();
    assert_eq!(
        account.perform(START, &me, &call).unwrap_err().message,
        "User: arn:aws:iam::111122223333:user/apps/demo is not authorized to perform: iam:CreateAccessKey on \
         resource: user demo because no identity-based policy allows the iam:CreateAccessKey action"
    );
    assert!(account.perform(START, &me, &Call::GetCallerIdentity).is_ok());
}

#[test]
fn a_deny_wins_over_an_allow() {
    let mut account = account();
    let me = Signer::User(account.user_view("demo").unwrap().user_id);
    let both = document(vec![
        policy("Allow", "*", "*"),
        policy("Deny", "iam:DELETE*", "*"),
    ]);
    account.set_user_policy("demo", Some(both)).unwrap();
    assert!(
        account
            .perform(START, &me, &Call::GetUser { user_name: None })
            .is_ok()
    );
    let call = Call::DeleteAccessKey {
        user_name: None,
        access_key_id: "AKIAUNKNOWN000000000".to_owned(),
    };
    let refusal = account.perform(START, &me, &call).unwrap_err();
    assert!(
        refusal
            .message
            .ends_with("with an explicit deny in an identity-based policy"),
        "{refusal}"
    );
}

#[test]
fn a_role_is_given_to_the_trusted_with_the_right_external_id_only() {
    let mut account = account();
    account
        .set_user_policy("demo", Some(PolicyDocument::allow_all()))
        .unwrap();
    let me = Signer::User(account.user_view("demo").unwrap().user_id);
    let by_account = account.put_role("by-account", "111122223333", Some("tenant-1".to_owned()), None);
    let exact = account.put_role("exact", "arn:aws:iam::111122223333:user/apps/demo", None, None);
    let other = account.put_role("other", "arn:aws:iam::111122223333:user/apps/other", None, None);
    let absent = "arn:aws:iam::111122223333:role/absent".to_owned();
    for (arn, external_id, granted) in [
        (&by_account, Some("tenant-1"), true),
        (&by_account, Some("tenant-2"), false),
        (&by_account, None, false),
        (&exact, None, true),
        (&other, None, false),
        (&absent, None, false),
    ] {
        let call = Call::AssumeRole(AssumeRole {
            role_arn: arn.clone(),
            role_session_name: "session".to_owned(),
            external_id: external_id.map(str::to_owned),
            duration_seconds: None,
        });
        let answer = account.perform(START, &me, &call);
        assert_eq!(answer.is_ok(), granted, "{arn} {external_id:?}: {answer:?}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.code, Code::AccessDenied);
        }
    }
}

#[test]
fn temporary_credentials_need_their_token_and_end() {
    let mut account = account();
    account
        .set_user_policy("demo", Some(PolicyDocument::allow_all()))
        .unwrap();
    let me = Signer::User(account.user_view("demo").unwrap().user_id);
    let call = Call::AssumeRole(AssumeRole {
        role_arn: account.put_role("role", "111122223333", None, None),
        role_session_name: "session".to_owned(),
        external_id: None,
        duration_seconds: Some(900),
    });
    let Answer::Session { session, .. } = account.perform(START, &me, &call).unwrap() else {
        panic!("no session");
    };
    let (id, token) = (
        session.access_key_id.as_str(),
        Some(session.session_token.expose()),
    );
    let code = |token, after_ms| {
        let credential = account.credential(id, token, REGION, START.plus(after_ms));
        credential.map(|_| ()).map_err(|refusal| refusal.code)
    };
    assert_eq!(code(token, 899_999), Ok(()));
    assert_eq!(code(None, 0), Err(Code::InvalidClientTokenId));
    assert_eq!(code(Some("other"), 0), Err(Code::InvalidClientTokenId));
    assert_eq!(code(token, 900_000), Err(Code::ExpiredToken));
}

#[test]
fn the_same_seed_and_calls_give_the_same_account() {
    let run = || {
        let mut account = account();
        create(&mut account).unwrap();
        account
    };
    assert_eq!(run(), run());
    let mut other = Account::new("111122223333", 2);
    other.create_user(START, "demo", None).unwrap();
    assert_ne!(
        create(&mut other).unwrap().access_key_id,
        create(&mut account()).unwrap().access_key_id
    );
}

#[test]
fn secrets_are_not_shown_by_debug() {
    let mut account = account();
    let key = create(&mut account).unwrap();
    let shown = format!("{key:?} {account:?}");
    assert!(!shown.contains(key.secret_access_key.expose()));
}
