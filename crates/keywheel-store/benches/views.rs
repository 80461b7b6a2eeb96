//! How long rotations at a glance take where there are ten thousand: `views URL` fills an empty database with a hundred
//! projects of a hundred rotations each, and asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    missing_docs
)] // a bench stops at the first surprise, and takes the time

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use keywheel_core::aws::{
    AccessKeyId, Arn, AwsAccount, IamUserId, IamUserName, KeyStatus, Partition, Region,
};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{
    AccountId, ConnectionId, EnvironmentId, FolderId, IdentityId, ManagedUserId, MembershipId,
    OrganizationId, ProjectId, RotationId, SecretId, SecretVersionId,
};
use keywheel_core::key::{KeyState, ManagedKey, SealedSecret};
use keywheel_core::ledger::{Change, Commit, ManagedUser, PublishedValues, SealedVersion, UserIdentity};
use keywheel_core::names::{SecretName, Slug, Title};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::state::State;
use keywheel_core::rotation::{
    MappedSecrets, Place, Rotation, RotationSettings, RotationStatus, SecretsMapping, Slots,
};
use keywheel_store::accounts::Account;
use keywheel_store::connections::{ConnectionCredentials, ConnectionMethod, NewConnection};
use keywheel_store::environments::NewEnvironment;
use keywheel_store::identities::Identity;
use keywheel_store::ledgers::{LeaseTerms, Reservation};
use keywheel_store::memberships::{Membership, MembershipRole};
use keywheel_store::projects::Project;
use keywheel_store::rotation_views::{Glance, RotationFilter, RotationOrder, Viewed};
use keywheel_store::secrets::Author;
use keywheel_store::setup::{Bootstrap, Organization};
use keywheel_store::sql::testing::copies;
use keywheel_store::{Page, Store};

/// Rotations of the project that is copied.
const ROTATIONS: u32 = 100;
/// Copies of it, besides itself.
const COPIES: u32 = 99;
/// How often each question is asked.
const TIMES: usize = 31;
/// "Well below 50 ms": the middle one may take so long, which leaves as much for HTTP, JSON and a busy machine.
const MILLIS_MAX: f64 = 25.0;
/// Of a page of the console.
const PAGE: u32 = 50;
/// Some day in 2026, so that ids begin as those of originals do.
const NOW: Moment = Moment::from_millis(1_790_000_000_000);
const GLANCE: Glance = Glance {
    now: NOW,
    leases_now: NOW,
    day_length: Millis::DAY,
};

fn entropy() -> [u8; 10] {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

macro_rules! id {
    ($type:ident) => {
        $type::new(NOW, &entropy())
    };
}

fn slug(text: &str) -> Slug {
    Slug::from_stored(text.to_owned())
}

fn days_ago(days: u32) -> Moment {
    NOW - Millis::DAY.times(i64::from(days))
}

#[tokio::main]
async fn main() -> ExitCode {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|given| given != "--bench")
        .collect();
    let [url] = &given[..] else {
        println!("views URL: the address of an empty database");
        return ExitCode::SUCCESS;
    };
    let store = keywheel_store::open(url).await.unwrap();
    let member = fill(&store).await;
    drop(store);
    copies::copy_projects(url, COPIES).await.unwrap();
    let store = keywheel_store::open(url).await.unwrap();
    println!("{} rotations", copies::size(url).await.unwrap().rotations);
    ask(&store, member).await
}

/// Asks everything again and again.
async fn ask(store: &Arc<dyn Store>, member: IdentityId) -> ExitCode {
    let memberships = store.memberships_of(member, &Page::whole()).await.unwrap();
    let projects: Vec<_> = memberships.rows.iter().map(|one| one.project).collect();
    let all = || Viewed::Projects(projects.clone());
    let one = || Viewed::Projects(projects[..1].to_vec());
    let filter = |viewed| RotationFilter {
        viewed,
        environment: None,
        state: None,
        connection: None,
        text: None,
    };
    let stated = |state| RotationFilter {
        state: Some(state),
        ..filter(all())
    };
    let text = RotationFilter {
        text: Some("app-77".to_owned()),
        ..filter(all())
    };
    let mut good = true;
    good &= told("memberships", async || {
        store.memberships_of(member, &Page::whole()).await.unwrap();
    })
    .await;
    for (what, viewed) in [
        ("overview of a hundred projects", all()),
        ("overview of one project", one()),
        ("overview of all", Viewed::All),
    ] {
        good &= told(what, async || {
            store.rotations_overview(&viewed, GLANCE).await.unwrap();
        })
        .await;
    }
    for (what, filter, order) in [
        ("search by name", filter(all()), RotationOrder::Name),
        (
            "search by next rotation",
            filter(all()),
            RotationOrder::NextAttempt,
        ),
        ("search by key age", filter(all()), RotationOrder::KeyCreated),
        ("search in one project", filter(one()), RotationOrder::Name),
        (
            "search for healthy ones",
            stated(State::Healthy),
            RotationOrder::Name,
        ),
        (
            "search for failing ones",
            stated(State::Failing),
            RotationOrder::NextAttempt,
        ),
        ("search for a text", text, RotationOrder::Name),
    ] {
        let mut page = Page {
            size: Some(PAGE),
            after: None,
        };
        let found = store
            .search_rotations(&filter, order, &page, GLANCE)
            .await
            .unwrap();
        assert!(found.total > 0, "{what}");
        good &= told(what, async || {
            store
                .search_rotations(&filter, order, &page, GLANCE)
                .await
                .unwrap();
        })
        .await;
        page.after = found.part.next;
        if page.after.is_some() {
            good &= told(&format!("{what}, second page"), async || {
                store
                    .search_rotations(&filter, order, &page, GLANCE)
                    .await
                    .unwrap();
            })
            .await;
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Asks, tells how long the middle one and the longest took, and whether that is good.
async fn told(what: &str, question: impl AsyncFn()) -> bool {
    let mut figures = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        question().await;
        figures.push(began.elapsed().as_secs_f64() * 1e3);
    }
    figures.sort_by(f64::total_cmp);
    let (middle, longest) = (figures[TIMES / 2], figures[TIMES - 1]);
    let verdict = if middle <= MILLIS_MAX { "PASS" } else { "FAIL" };
    println!("{what:<42} {middle:>6.1} ms, longest {longest:>6.1} ms  {verdict}");
    middle <= MILLIS_MAX
}

/// Makes one project with its rotations; its member.
async fn fill(store: &Arc<dyn Store>) -> IdentityId {
    let identity = Identity {
        id: id!(IdentityId),
        organization: id!(OrganizationId),
        name: "admin".to_owned(),
        role: slug("admin"),
        metadata: Vec::new(),
        delete_protection: false,
        auth_methods: Vec::new(),
        created_at: NOW,
        updated_at: NOW,
    };
    let member = identity.id;
    let organization = identity.organization;
    let first = Bootstrap {
        organization: Organization {
            id: organization,
            name: Title::from_stored("Acme".to_owned()),
            slug: slug("acme"),
            created_at: NOW,
        },
        account: Account {
            id: id!(AccountId),
            email: "admin@company.example".to_owned(),
            password_hash: Some("$argon2id$".to_owned()),
            super_admin: true,
            identity: Some(identity.id),
            totp: None,
            created_at: NOW,
        },
        person: identity,
        machine: None,
    };
    store.bootstrap(&first).await.unwrap();
    let project = id!(ProjectId);
    let place = project_of(store, organization, project, member).await;
    let connection = id!(ConnectionId);
    let new = NewConnection {
        id: connection,
        organization,
        project: None,
        name: slug("aws"),
        description: None,
        method: ConnectionMethod::AccessKey,
        credentials: ConnectionCredentials {
            sealed: vec![1; 64],
            hash: "00".to_owned(),
            config: "{}".to_owned(),
        },
        now: NOW,
    };
    store.create_connection(&new).await.unwrap();
    for number in 0..ROTATIONS {
        rotation(store, place, connection, number).await;
    }
    member
}

async fn project_of(
    store: &Arc<dyn Store>,
    organization: OrganizationId,
    id: ProjectId,
    identity: IdentityId,
) -> Place {
    let project = Project {
        id,
        organization,
        name: Title::from_stored("Billing".to_owned()),
        slug: slug("billing"),
        description: None,
        delete_protection: false,
        auto_capitalization: true,
        version_limit: 10,
        audit_retention_days: None,
        created_at: NOW,
        updated_at: NOW,
    };
    let environment = NewEnvironment {
        id: id!(EnvironmentId),
        root: id!(FolderId),
        project: id,
        name: "Production".to_owned(),
        slug: slug("prod"),
        position: None,
        now: NOW,
    };
    let member = Membership {
        id: id!(MembershipId),
        project: id,
        identity,
        roles: vec![MembershipRole {
            id: id!(MembershipId).as_uuid(),
            role: slug("admin"),
            temporary: None,
        }],
        created_at: NOW,
        updated_at: NOW,
    };
    let place = Place {
        project: id,
        environment: environment.id,
        folder: environment.root,
    };
    store
        .create_project(&project, &[environment], Some(&member))
        .await
        .unwrap();
    place
}

/// One that is healthy, or fails, is late or paused: one of twenty each. Some users have a foreign key too.
async fn rotation(store: &Arc<dyn Store>, place: Place, connection: ConnectionId, number: u32) {
    let name = format!("app-{number}");
    let user = user(&name, connection);
    let terms = LeaseTerms {
        node: "bench",
        now: NOW,
        until: NOW + Millis::from_secs(60),
    };
    let Reservation::Claimed(claim) = store.reserve_user(&user, terms).await.unwrap() else {
        panic!("nobody else is here");
    };
    let access_key = AccessKeyId::from_trusted(format!("AKIA{number:016}"));
    let rotation = made(place, connection, &name, &user, access_key.clone(), number);
    let mut changes = vec![Change::Key(key(&access_key, KeyState::Published, number))];
    if number % 20 == 4 {
        let foreign = AccessKeyId::from_trusted(format!("AKIF{number:016}"));
        changes.push(Change::Key(key(&foreign, KeyState::Unmanaged, number)));
    }
    changes.push(Change::CreateRotation(rotation));
    let commit = Commit {
        changes,
        publish: Some(access_key.clone()),
        ..Commit::default()
    };
    let version = || SealedVersion {
        id: id!(SecretVersionId),
        sealed: vec![1; 100],
    };
    let values = PublishedValues {
        key: access_key,
        access_key_id: version(),
        secret_access_key: version(),
        author: Author::Platform,
    };
    store
        .commit(claim, &commit, Some(&values), None, NOW)
        .await
        .unwrap();
    store.release(claim).await.unwrap();
}

fn key(id: &AccessKeyId, state: KeyState, number: u32) -> ManagedKey {
    let secret = SealedSecret::from_bytes(vec![1; 100]);
    let mut key = ManagedKey::created(id.clone(), secret, Some(days_ago(number)), NOW);
    key.state = state;
    key.aws_status = KeyStatus::Active;
    key
}

fn user(name: &str, connection: ConnectionId) -> ManagedUser {
    ManagedUser {
        id: id!(ManagedUserId),
        identity: UserIdentity {
            partition: Partition::from_trusted("aws"),
            account: AwsAccount::from_trusted("123456789012"),
            user_id: IamUserId::from_trusted(format!("AIDA-{name}")),
        },
        name: IamUserName::from_trusted(name),
        arn: Arn::from_trusted(format!("arn:aws:iam::123456789012:user/{name}")),
        region: Region::default(),
        connection: Some(connection),
        rotation: None,
        settles_at: None,
        unfinished: None,
        failures: 0,
        due_at: None,
    }
}

fn made(
    place: Place,
    connection: ConnectionId,
    name: &str,
    user: &ManagedUser,
    key: AccessKeyId,
    number: u32,
) -> Rotation {
    let secret = |end: &str| SecretName::from_stored(format!("{}_{end}", name.to_uppercase()));
    let (fails, late, paused) = (number % 20 == 1, number % 20 == 2, number % 20 == 3);
    let next = if late {
        days_ago(1)
    } else {
        NOW + Millis::from_hours(i64::from(number))
    };
    Rotation {
        id: id!(RotationId),
        place,
        user: user.id,
        settings: RotationSettings {
            name: slug(name),
            description: Some("Keys of a service that is somewhere".to_owned()),
            connection,
            user_name: user.name.clone(),
            region: Region::default(),
            mapping: SecretsMapping::new(secret("ID"), secret("SECRET")).unwrap(),
            automatic: !paused,
            interval: IntervalDays::new(30).unwrap(),
            rotate_at: RotateAtUtc::MIDNIGHT,
            policy: Policy::default(),
        },
        secrets: MappedSecrets {
            access_key_id: id!(SecretId),
            secret_access_key: id!(SecretId),
        },
        slots: Slots::first(key),
        status: if fails {
            RotationStatus::Failed
        } else {
            RotationStatus::Success
        },
        last_message: fails.then(|| "AWS refused the call: AccessDenied".to_owned()),
        last_job: None,
        last_attempted_at: days_ago(number),
        last_rotated_at: days_ago(number),
        last_manual: true,
        anchor_at: days_ago(number),
        slot_at: Some(next).filter(|_| !paused),
        next_attempt_at: Some(next).filter(|_| !paused),
        failures: u32::from(fails),
        revoking: false,
        created_at: days_ago(number),
        updated_at: days_ago(number),
    }
}
