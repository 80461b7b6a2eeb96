//! Identities, memberships, Universal Auth and tokens.

use keywheel_core::clock::Millis;
use keywheel_core::ids::{
    ClientId, ClientSecretId, IdentityId, MembershipId, ProjectId, TokenId, UniversalAuthId,
};
use keywheel_store::identities::{AuthMethod, Identity, IdentityMetadata, IdentityUpdate, PageRequest};
use keywheel_store::memberships::{MembershipRole, TemporaryAccess};
use keywheel_store::tokens::Token;
use keywheel_store::universal_auth::{ClientSecret, ClientSecretUse, UniversalAuth, UniversalAuthSettings};
use keywheel_store::{Conflict, Page};

use crate::world::{Shared, World, at, conflict, id, identity, membership, slug};

const ALL: PageRequest = PageRequest {
    offset: 0,
    limit: 100,
};

fn settings() -> UniversalAuthSettings {
    UniversalAuthSettings {
        client_secret_trusted_ips: vec!["::/0".parse().unwrap(), "10.0.0.0/24".parse().unwrap()],
        access_token_trusted_ips: vec!["0.0.0.0/0".parse().unwrap()],
        access_token_ttl: 3_600,
        access_token_max_ttl: 7_200,
        access_token_uses_limit: 0,
        access_token_period: 0,
        lockout_enabled: true,
        lockout_threshold: 3,
        lockout_duration: 300,
        lockout_counter_reset: 30,
    }
}

/// An identity with Universal Auth and one client secret.
pub struct Login {
    pub identity: IdentityId,
    pub auth: UniversalAuth,
    pub secret: ClientSecret,
}

pub async fn login(store: &Shared, world: &World, uses_limit: i64) -> Login {
    let machine = identity(world.organization, "machine");
    store.create_identity(&machine).await.unwrap();
    let auth = UniversalAuth {
        id: id!(UniversalAuthId),
        identity: machine.id,
        client_id: id!(ClientId),
        settings: settings(),
        created_at: at(1),
        updated_at: at(1),
    };
    store.create_universal_auth(&auth).await.unwrap();
    let secret = client_secret(auth.id, uses_limit);
    store.create_client_secret(&secret).await.unwrap();
    Login {
        identity: machine.id,
        auth,
        secret,
    }
}

fn client_secret(auth: UniversalAuthId, uses_limit: i64) -> ClientSecret {
    ClientSecret {
        id: id!(ClientSecretId),
        universal_auth: auth,
        hash: vec![7; 32],
        prefix: "abcd".to_owned(),
        description: "for tests".to_owned(),
        uses: 0,
        uses_limit,
        ttl: 0,
        revoked: false,
        last_used_at: None,
        created_at: at(1),
        updated_at: at(1),
    }
}

pub fn token(identity: IdentityId, client_secret: Option<ClientSecretId>) -> Token {
    Token {
        id: id!(TokenId),
        identity,
        client_secret,
        ttl: 3_600,
        max_ttl: 7_200,
        period: 0,
        expires_at: Some(at(3_600_000)),
        uses: 0,
        uses_limit: 0,
        revoked: false,
        created_at: at(1),
        renewed_at: None,
    }
}

pub async fn an_identity_reads_back_and_pages_by_name(store: &Shared) {
    let world = World::new(store).await;
    let made = Identity {
        metadata: vec![IdentityMetadata {
            id: id!(TokenId).as_uuid(),
            key: "team".to_owned(),
            value: "red".to_owned(),
        }],
        delete_protection: true,
        ..identity(world.organization, "b")
    };
    store.create_identity(&made).await.unwrap();
    assert_eq!(store.identity(made.id).await.unwrap().as_ref(), Some(&made));
    for other in ["a", "c"] {
        store
            .create_identity(&identity(world.organization, other))
            .await
            .unwrap();
    }
    let page = PageRequest { offset: 1, limit: 2 };
    let page = store.identities(world.organization, "", page).await.unwrap();
    let names: Vec<_> = page.rows.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(
        (names, page.total),
        (vec!["a", "admin@example.com"], 5),
        "the instance's own comes first"
    );

    let update = IdentityUpdate {
        role: Some(slug("member")),
        ..IdentityUpdate::default()
    };
    let after = store
        .update_identity(made.id, &update, at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        after,
        Identity {
            role: slug("member"),
            updated_at: at(5),
            ..made
        }
    );
    assert_eq!(
        store
            .update_identity(id!(IdentityId), &update, at(5))
            .await
            .unwrap(),
        None
    );
}

pub async fn a_search_text_is_taken_literally(store: &Shared) {
    let world = World::new(store).await;
    for name in ["100% sure", "100 sure", "under_score", "UnderXscore"] {
        store
            .create_identity(&identity(world.organization, name))
            .await
            .unwrap();
    }
    let found = |search: &'static str| async move {
        store
            .identities(world.organization, search, ALL)
            .await
            .unwrap()
            .total
    };
    assert_eq!(found("100%").await, 1);
    assert_eq!(found("R_S").await, 1);
    assert_eq!(found("under").await, 2, "without regard to case");
    assert_eq!(found("\\").await, 0);
}

pub async fn a_member_is_one_once_and_has_the_roles_that_were_set_last(store: &Shared) {
    let world = World::new(store).await;
    let made = membership(world.project, world.admin, "viewer");
    store.create_membership(&made).await.unwrap();
    let again = membership(world.project, world.admin, "admin");
    assert_eq!(
        conflict(store.create_membership(&again).await),
        Conflict::Membership
    );
    let nobody = membership(world.project, id!(IdentityId), "admin");
    assert_eq!(
        conflict(store.create_membership(&nobody).await),
        Conflict::Reference
    );

    let roles = [MembershipRole {
        id: id!(MembershipId).as_uuid(),
        role: slug("member"),
        temporary: Some(TemporaryAccess {
            range: "1h".to_owned(),
            length: Millis::from_secs(3_600),
            starts_at: at(10),
        }),
    }];
    let after = store
        .set_roles(world.project, world.admin, &roles, at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.roles.as_slice(), after.updated_at), (&roles[..], at(5)));
    let in_project = store.roles_in(world.project, world.admin).await.unwrap().unwrap();
    assert_eq!(in_project, roles);
    assert_eq!(
        store.membership_by_id(made.id).await.unwrap(),
        Some(after.clone())
    );
    assert_eq!(
        store
            .memberships_of(world.admin, &Page::whole())
            .await
            .unwrap()
            .rows,
        [after]
    );
    assert_eq!(store.memberships_in(world.project, ALL).await.unwrap().total, 1);
    assert!(store.delete_membership(world.project, world.admin).await.unwrap());
    assert!(!store.delete_membership(world.project, world.admin).await.unwrap());
    assert_eq!(store.roles_in(world.project, world.admin).await.unwrap(), None);
}

pub async fn who_is_admitted_is_a_member_with_these_roles_whatever_it_was_before(store: &Shared) {
    let world = World::new(store).await;
    let first = membership(world.project, world.admin, "viewer");
    assert_eq!(store.admit(&first).await.unwrap(), first);
    let mut again = membership(world.project, world.admin, "admin");
    (again.created_at, again.updated_at) = (at(7), at(7));
    let after = store.admit(&again).await.unwrap();
    assert_eq!((after.id, after.created_at), (first.id, first.created_at));
    assert_eq!((&after.roles, after.updated_at), (&again.roles, at(7)));
    let in_project = store.roles_in(world.project, world.admin).await.unwrap();
    assert_eq!(in_project, Some(again.roles));
    assert_eq!(store.memberships_in(world.project, ALL).await.unwrap().total, 1);
    let nowhere = membership(id!(ProjectId), world.admin, "admin");
    assert_eq!(conflict(store.admit(&nowhere).await), Conflict::Reference);
}

pub async fn a_deleted_identity_takes_its_logins_tokens_and_memberships_along(store: &Shared) {
    let world = World::new(store).await;
    let login = login(store, &world, 0).await;
    let issued = token(login.identity, Some(login.secret.id));
    store
        .use_client_secret(login.secret.id, &issued, at(2))
        .await
        .unwrap();
    let member = membership(world.project, login.identity, "viewer");
    store.create_membership(&member).await.unwrap();

    assert!(store.delete_identity(login.identity).await.unwrap());
    assert!(!store.delete_identity(login.identity).await.unwrap());
    assert_eq!(store.caller(issued.id).await.unwrap(), None);
    assert_eq!(
        store.login_by_client_id(login.auth.client_id).await.unwrap(),
        None
    );
    assert_eq!(store.membership_by_id(member.id).await.unwrap(), None);
}

pub async fn universal_auth_is_given_once_and_settings_read_back_in_order(store: &Shared) {
    let world = World::new(store).await;
    let login = login(store, &world, 0).await;
    let again = UniversalAuth {
        id: id!(UniversalAuthId),
        client_id: id!(ClientId),
        ..login.auth.clone()
    };
    assert_eq!(
        conflict(store.create_universal_auth(&again).await),
        Conflict::UniversalAuth
    );
    assert_eq!(
        store.universal_auth(login.identity).await.unwrap().as_ref(),
        Some(&login.auth)
    );
    let (auth, machine) = store
        .login_by_client_id(login.auth.client_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (auth, machine.auth_methods),
        (login.auth.clone(), vec![AuthMethod::UniversalAuth])
    );

    let changed = UniversalAuthSettings {
        access_token_ttl: 60,
        ..settings()
    };
    let after = store
        .update_universal_auth(login.identity, &changed, at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.settings, after.updated_at), (changed.clone(), at(5)));
    assert_eq!(
        store
            .update_universal_auth(world.admin, &changed, at(5))
            .await
            .unwrap(),
        None
    );
    assert!(
        store
            .delete_universal_auth(login.identity)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.delete_universal_auth(login.identity).await.unwrap(), None);
    let orphan = client_secret(login.auth.id, 0);
    assert_eq!(
        conflict(store.create_client_secret(&orphan).await),
        Conflict::Reference
    );
}

pub async fn a_limit_on_a_client_secret_holds_exactly_under_parallel_logins(store: &Shared) {
    let world = World::new(store).await;
    let login = login(store, &world, 5).await;
    let tokens: Vec<Token> = (0..20)
        .map(|_| token(login.identity, Some(login.secret.id)))
        .collect();
    let running: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (store, token, id) = (store.clone(), token.clone(), login.secret.id);
            tokio::spawn(async move { store.use_client_secret(id, &token, at(2)).await })
        })
        .collect();
    let mut used = 0;
    for (token, outcome) in tokens.iter().zip(running) {
        let counted = outcome.await.unwrap().unwrap() == ClientSecretUse::Used;
        assert_eq!(store.caller(token.id).await.unwrap().is_some(), counted);
        used += i32::from(counted);
    }
    assert_eq!(used, 5);
    let after = store
        .client_secret(login.identity, login.secret.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (after.uses, after.revoked, after.last_used_at),
        (5, false, Some(at(2)))
    );
}

pub async fn a_revoked_client_secret_ends_its_tokens(store: &Shared) {
    let world = World::new(store).await;
    let login = login(store, &world, 0).await;
    let issued = token(login.identity, Some(login.secret.id));
    let used = store
        .use_client_secret(login.secret.id, &issued, at(2))
        .await
        .unwrap();
    assert_eq!(used, ClientSecretUse::Used);
    let caller = store.caller(issued.id).await.unwrap().unwrap();
    assert!(!caller.client_secret_revoked);
    assert_eq!(
        (caller.token, caller.identity.id),
        (issued.clone(), login.identity)
    );
    assert_eq!(caller.trusted_ips, settings().access_token_trusted_ips);
    assert_eq!(
        store.login_candidates(login.auth.id, "abcd").await.unwrap().len(),
        1
    );
    assert_eq!(
        store.login_candidates(login.auth.id, "abce").await.unwrap().len(),
        0
    );

    let revoked = store
        .revoke_client_secret(login.secret.id, at(3))
        .await
        .unwrap()
        .unwrap();
    assert!(revoked.revoked);
    assert!(
        store
            .caller(issued.id)
            .await
            .unwrap()
            .unwrap()
            .client_secret_revoked
    );
    let refused = store
        .use_client_secret(login.secret.id, &token(login.identity, None), at(4))
        .await;
    assert_eq!(refused.unwrap(), ClientSecretUse::Revoked);
    assert_eq!(
        store
            .client_secrets(login.identity, &Page::whole())
            .await
            .unwrap()
            .rows,
        []
    );
    assert_eq!(store.login_candidates(login.auth.id, "abcd").await.unwrap(), []);
    assert!(
        store
            .client_secret(login.identity, login.secret.id)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        store
            .revoke_client_secret(id!(ClientSecretId), at(3))
            .await
            .unwrap(),
        None
    );
}

pub async fn a_limit_on_a_token_holds_exactly_under_parallel_requests(store: &Shared) {
    let world = World::new(store).await;
    let limited = Token {
        uses_limit: 3,
        ..token(world.admin, None)
    };
    store.create_token(&limited).await.unwrap();
    let running: Vec<_> = (0..10)
        .map(|_| {
            let (store, id) = (store.clone(), limited.id);
            tokio::spawn(async move { store.count_use(id).await.unwrap() })
        })
        .collect();
    let mut counted = 0;
    for outcome in running {
        counted += i32::from(outcome.await.unwrap());
    }
    assert_eq!(counted, 3);
    assert_eq!(store.caller(limited.id).await.unwrap().unwrap().token.uses, 3);
}

pub async fn a_revoked_token_cannot_be_renewed(store: &Shared) {
    let world = World::new(store).await;
    let made = token(world.admin, None);
    store.create_token(&made).await.unwrap();
    assert!(store.renew_token(made.id, Some(at(9)), at(2)).await.unwrap());
    let renewed = store.caller(made.id).await.unwrap().unwrap().token;
    assert_eq!(
        (renewed.expires_at, renewed.renewed_at),
        (Some(at(9)), Some(at(2)))
    );
    assert!(store.revoke_token(made.id).await.unwrap());
    assert!(store.caller(made.id).await.unwrap().unwrap().token.revoked);
    assert!(!store.renew_token(made.id, Some(at(10)), at(3)).await.unwrap());
    assert!(!store.revoke_token(id!(TokenId)).await.unwrap());
}

pub async fn tokens_that_ended_long_ago_are_forgotten_a_few_at_a_time(store: &Shared) {
    let world = World::new(store).await;
    let endless = Token {
        expires_at: None,
        ..token(world.admin, None)
    };
    store.create_token(&endless).await.unwrap();
    for end in [10, 20, 30, 40] {
        let made = Token {
            expires_at: Some(at(end)),
            ..token(world.admin, None)
        };
        store.create_token(&made).await.unwrap();
    }
    assert_eq!(store.forget_tokens(at(40), 2).await.unwrap(), 2);
    assert_eq!(store.forget_tokens(at(40), 2).await.unwrap(), 1);
    assert_eq!(store.forget_tokens(at(40), 2).await.unwrap(), 0);
    assert!(store.caller(endless.id).await.unwrap().is_some());
}
