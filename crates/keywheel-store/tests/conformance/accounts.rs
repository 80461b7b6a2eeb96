//! People: accounts, one-time links, one-time codes, sessions.

use keywheel_core::ids::{AccountId, TokenId};
use keywheel_store::Conflict;
use keywheel_store::accounts::{Account, SESSIONS_MAX, Session, Totp};
use keywheel_store::identities::{Identity, IdentityUpdate};
use keywheel_store::tokens::{SignedIn, Token};

use crate::world::{Shared, World, at, conflict, id, identity, slug};

/// An account with a password, and a role.
pub async fn person(store: &Shared, world: &World, email: &str, role: &str) -> Account {
    let own = Identity {
        role: slug(role),
        delete_protection: true,
        ..identity(world.organization, email)
    };
    let account = Account {
        id: id!(AccountId),
        email: email.to_owned(),
        password_hash: Some("$argon2id$".to_owned()),
        super_admin: false,
        identity: Some(own.id),
        totp: None,
        created_at: at(1),
    };
    store.create_account(&account, &own).await.unwrap();
    account
}

/// A session that begins at a moment and lasts for a hundred milliseconds.
pub async fn signed_in(store: &Shared, account: &Account, since: i64) -> Session {
    let session = Session {
        id: id!(TokenId),
        account: account.id,
        ip_address: "192.0.2.1".to_owned(),
        user_agent: Some("Mozilla".to_owned()),
        created_at: at(since),
        last_seen_at: at(since),
        expires_at: at(since + 100),
    };
    let token = Token {
        id: session.id,
        expires_at: Some(session.expires_at),
        ..crate::callers::token(account.identity.unwrap(), None)
    };
    store.create_session(&session, &token, account).await.unwrap();
    session
}

async fn is_revoked(store: &Shared, session: &Session) -> bool {
    store.caller(session.id).await.unwrap().unwrap().token.revoked
}

pub async fn an_account_reads_back_by_all_its_names_and_an_address_has_one(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    let own = made.identity.unwrap();
    for found in [
        store.account(made.id).await,
        store.account_by_email("b@example.com").await,
        store.account_of_identity(own).await,
    ] {
        assert_eq!(found.unwrap().as_ref(), Some(&made));
    }
    let again = Account {
        id: id!(AccountId),
        identity: None,
        ..made.clone()
    };
    let other = identity(world.organization, "again");
    assert_eq!(
        conflict(store.create_account(&again, &other).await),
        Conflict::AccountEmail
    );
    assert_eq!(store.identity(other.id).await.unwrap(), None);

    let listed = store.accounts().await.unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|one| {
            (
                one.account.email.as_str(),
                one.role.as_ref().map(keywheel_core::names::Slug::as_str),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("admin@example.com", Some("admin")),
            ("b@example.com", Some("member"))
        ]
    );
}

pub async fn an_account_without_an_identity_gets_one_and_no_second(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "old@example.com", "admin").await;
    let second = identity(world.organization, "second");
    let kept = store.adopt_identity(made.id, &second).await.unwrap();
    assert_eq!(kept, made.identity);
    assert_eq!(store.identity(second.id).await.unwrap(), None);
}

pub async fn a_deleted_account_takes_identity_sessions_and_tokens_along(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    let session = signed_in(store, &made, 10).await;
    assert!(store.delete_account(made.id).await.unwrap());
    assert_eq!(store.account(made.id).await.unwrap(), None);
    assert_eq!(store.identity(made.identity.unwrap()).await.unwrap(), None);
    assert_eq!(store.caller(session.id).await.unwrap(), None);
    assert!(!store.delete_account(made.id).await.unwrap());
}

pub async fn the_last_account_that_administers_stays_also_when_two_go_at_once(store: &Shared) {
    let world = World::new(store).await;
    let first = store
        .account_by_email("admin@example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        conflict(store.delete_account(first.id).await),
        Conflict::LastAdmin
    );
    let second = person(store, &world, "b@example.com", "admin").await;
    let going = [first.id, second.id].map(|account| {
        let store = store.clone();
        tokio::spawn(async move { store.delete_account(account).await })
    });
    let mut gone = 0;
    for outcome in going {
        match outcome.await.unwrap() {
            Ok(true) => gone += 1,
            refused => assert_eq!(conflict(refused), Conflict::LastAdmin),
        }
    }
    assert_eq!(gone, 1);
    let left = store.accounts().await.unwrap().remove(0).account;
    let update = IdentityUpdate {
        role: Some(slug("member")),
        ..IdentityUpdate::default()
    };
    let own = left.identity.unwrap();
    let demoted = store.update_identity(own, &update, at(5)).await;
    assert_eq!(conflict(demoted), Conflict::LastAdmin);
}

pub async fn an_admin_who_has_no_password_yet_is_no_other_admin_and_may_go(store: &Shared) {
    let world = World::new(store).await;
    let admin = store
        .account_by_email("admin@example.com")
        .await
        .unwrap()
        .unwrap();
    let own = Identity {
        role: slug("admin"),
        ..identity(world.organization, "b@example.com")
    };
    let pending = Account {
        id: id!(AccountId),
        email: "b@example.com".to_owned(),
        password_hash: None,
        identity: Some(own.id),
        ..admin.clone()
    };
    store.create_account(&pending, &own).await.unwrap();
    assert_eq!(
        conflict(store.delete_account(admin.id).await),
        Conflict::LastAdmin
    );
    let member = person(store, &world, "c@example.com", "member").await;
    for account in [member.id, pending.id] {
        assert!(store.delete_account(account).await.unwrap());
    }
}

pub async fn what_was_proven_counts_only_while_it_is_asked_for(store: &Shared) {
    let world = World::new(store).await;
    let first = person(store, &world, "b@example.com", "member").await;
    let own = signed_in(store, &first, 10).await;
    let refused = async |proven: &Account| {
        let session = Session {
            id: id!(TokenId),
            ..own.clone()
        };
        let token = Token {
            id: session.id,
            ..crate::callers::token(proven.identity.unwrap(), None)
        };
        for outcome in [
            store.create_session(&session, &token, proven).await,
            store.set_password(proven, "$stale$", own.id).await,
            store.set_totp(proven, Some(b"stale")).await,
            store.set_totp(proven, None).await,
        ] {
            assert_eq!(conflict(outcome), Conflict::Changed);
        }
    };
    store.set_password(&first, "$second$", own.id).await.unwrap();
    refused(&first).await;

    let read = async || store.account(first.id).await.unwrap().unwrap();
    let second = read().await;
    store.set_totp(&second, Some(b"sealed")).await.unwrap();
    signed_in(store, &second, 11).await;
    store.use_totp_step(first.id, b"sealed", 7).await.unwrap();
    refused(&second).await;
    let third = read().await;
    store.use_totp_step(first.id, b"sealed", 8).await.unwrap();
    signed_in(store, &third, 12).await;

    store.put_link(first.id, "link", at(50)).await.unwrap();
    assert!(store.use_link("link", "$fourth$", at(20)).await.unwrap());
    refused(&third).await;
    store.delete_account(first.id).await.unwrap();
    refused(&third).await;
}

pub async fn an_account_keeps_its_newest_sessions(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    let other = person(store, &world, "c@example.com", "member").await;
    let others = signed_in(store, &other, 1).await;
    let revoked = signed_in(store, &made, 9).await;
    assert!(store.revoke_session(made.id, revoked.id).await.unwrap());
    let mut begun = Vec::new();
    for since in 10..=10 + i64::from(SESSIONS_MAX) {
        begun.push(signed_in(store, &made, since).await);
    }
    begun.reverse();
    let oldest = begun.pop().unwrap();
    assert_eq!(store.sessions(made.id, at(50)).await.unwrap(), begun);
    for gone in [oldest, revoked] {
        assert_eq!(store.caller(gone.id).await.unwrap(), None);
    }
    assert_eq!(store.session(others.id).await.unwrap(), Some(others));
}

pub async fn a_link_is_good_once_and_until_it_ends_and_a_newer_one_replaces_it(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    store.set_totp(&made, Some(b"sealed")).await.unwrap();
    let session = signed_in(store, &made, 10).await;
    store.use_totp_step(made.id, b"sealed", 7).await.unwrap();
    assert!(store.put_link(made.id, "first", at(50)).await.unwrap());
    assert!(store.put_link(made.id, "second", at(50)).await.unwrap());
    assert_eq!(store.account_by_link("first", at(20)).await.unwrap(), None);
    assert_eq!(store.account_by_link("second", at(50)).await.unwrap(), None);
    assert!(!store.use_link("second", "$new$", at(50)).await.unwrap());
    assert!(!is_revoked(store, &session).await);

    let attempts: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.use_link("second", "$new$", at(49)).await.unwrap() })
        })
        .collect();
    let mut used = 0;
    for outcome in attempts {
        used += usize::from(outcome.await.unwrap());
    }
    assert_eq!(used, 1);
    let after = store.account(made.id).await.unwrap().unwrap();
    assert_eq!(
        (after.password_hash.as_deref(), after.totp),
        (Some("$new$"), None)
    );
    assert!(is_revoked(store, &session).await);
}

pub async fn a_new_password_ends_all_sessions_but_one_and_voids_the_link(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    let (own, other) = (
        signed_in(store, &made, 10).await,
        signed_in(store, &made, 11).await,
    );
    store.put_link(made.id, "link", at(50)).await.unwrap();
    store.set_password(&made, "$new$", own.id).await.unwrap();
    assert!(!is_revoked(store, &own).await && is_revoked(store, &other).await);
    assert_eq!(store.account_by_link("link", at(20)).await.unwrap(), None);
}

pub async fn a_step_of_one_time_codes_counts_once_under_parallel_sign_ins(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    assert!(!store.use_totp_step(made.id, b"sealed", 7).await.unwrap());
    store.set_totp(&made, Some(b"sealed")).await.unwrap();
    let read = async || store.account(made.id).await.unwrap().unwrap();
    assert_eq!(read().await.confirmed_totp(), None);
    let attempts: Vec<_> = (0..4)
        .map(|_| {
            let (store, account) = (store.clone(), made.id);
            tokio::spawn(async move { store.use_totp_step(account, b"sealed", 7).await.unwrap() })
        })
        .collect();
    let mut used = 0;
    for outcome in attempts {
        used += usize::from(outcome.await.unwrap());
    }
    assert_eq!(used, 1);
    for (secret, step, counts) in [(b"sealed", 6, false), (b"others", 8, false), (b"sealed", 8, true)] {
        assert_eq!(
            store.use_totp_step(made.id, secret, step).await.unwrap(),
            counts,
            "{step}"
        );
    }
    let kept = Totp {
        secret: b"sealed".to_vec(),
        last_step: Some(8),
    };
    assert_eq!(read().await.confirmed_totp(), Some(&kept));
    store.set_totp(&read().await, None).await.unwrap();
    assert_eq!(read().await.totp, None);
}

pub async fn sessions_are_listed_while_they_go_on_and_are_revoked_by_their_owner_only(store: &Shared) {
    let world = World::new(store).await;
    let made = person(store, &world, "b@example.com", "member").await;
    let other = person(store, &world, "c@example.com", "member").await;
    let (first, second) = (
        signed_in(store, &made, 10).await,
        signed_in(store, &made, 20).await,
    );
    let caller = store.caller(first.id).await.unwrap().unwrap();
    let expected = SignedIn {
        account: made.id,
        email: "b@example.com".to_owned(),
        last_seen_at: at(10),
    };
    assert_eq!(caller.session, Some(expected));
    store.touch_session(first.id, at(9), at(29)).await.unwrap();
    store.touch_session(first.id, at(10), at(30)).await.unwrap();
    store.touch_session(first.id, at(10), at(31)).await.unwrap();
    let first = Session {
        last_seen_at: at(30),
        ..first
    };
    let listed = store.sessions(made.id, at(40)).await.unwrap();
    assert_eq!(listed, [second.clone(), first.clone()]);
    assert_eq!(
        store.sessions(made.id, at(110)).await.unwrap(),
        std::slice::from_ref(&second)
    );

    assert!(!store.revoke_session(other.id, second.id).await.unwrap());
    assert!(store.revoke_session(made.id, second.id).await.unwrap());
    assert!(!store.revoke_session(made.id, second.id).await.unwrap());
    assert!(is_revoked(store, &second).await && !is_revoked(store, &first).await);

    signed_in(store, &made, 200).await;
    assert_eq!(
        store.caller(first.id).await.unwrap(),
        None,
        "what has ended is forgotten"
    );
}
