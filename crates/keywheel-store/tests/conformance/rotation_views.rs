//! Rotations of many projects at a glance.

use keywheel_core::aws::{AccessKeyId, IamUserName};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ConnectionId, OrganizationId, ProjectId, RotationId};
use keywheel_core::intent::IntentKind;
use keywheel_core::key::{KeyState, ManagedKey, Origin};
use keywheel_core::ledger::Change;
use keywheel_core::rotation::state::State;
use keywheel_core::rotation::{Place, Rotation, RotationStatus, SecretsMapping, Slots};
use keywheel_store::Page;
use keywheel_store::ledgers::Claim;
use keywheel_store::rotation_views::{
    FoundKey, Glance, ROWS_SHOWN, RotationFilter, RotationLine, RotationOrder, Viewed,
};

use crate::ledgers::{changes, claimed, intent, key};
use crate::pages::walk;
use crate::rotations::{publish, rotation, values};
use crate::world::{Shared, World, at, environment, id, identity, membership, name, project, slug, user};

const DAYS: i64 = 86_400_000;
const NOW: Moment = at(200 * DAYS);
const GLANCE: Glance = Glance {
    now: NOW,
    leases_now: NOW,
    day_length: Millis::DAY,
};

fn days_ago(days: i64) -> Moment {
    at((200 - days) * DAYS)
}

/// A world in which a rotation is made with a few words.
struct Stage<'a> {
    store: &'a Shared,
    world: World,
    /// Another project, with its environment.
    other: ProjectId,
    other_place: Place,
}

impl<'a> Stage<'a> {
    async fn set(store: &'a Shared) -> Self {
        let world = World::new(store).await;
        let second = project(world.organization, "second");
        let prod = environment(second.id, "prod");
        store
            .create_project(&second, std::slice::from_ref(&prod), None)
            .await
            .unwrap();
        Self {
            store,
            other: second.id,
            other_place: Place {
                project: second.id,
                environment: prod.id,
                folder: prod.root,
            },
            world,
        }
    }

    /// A rotation whose key is so many days old, with what else differs; its claim is released.
    async fn rotation(&self, rotation_name: &str, key_days: i64, change: impl FnOnce(&mut Rotation)) -> Made {
        let claim = claimed(self.store, &user(&format!("AIDA-{rotation_name}"))).await;
        let mut made = rotation(&self.world, claim, rotation_name);
        let access_key = format!("AKIA-{rotation_name}");
        made.settings.user_name = IamUserName::from_trusted(format!("svc_{rotation_name}"));
        let upper = rotation_name.to_uppercase();
        made.settings.mapping =
            SecretsMapping::new(name(&format!("{upper}_ID")), name(&format!("{upper}_SECRET"))).unwrap();
        made.slots = Slots::first(AccessKeyId::from_trusted(access_key.clone()));
        made.next_attempt_at = Some(NOW + Millis::DAY);
        change(&mut made);
        let mut commit = publish(Change::CreateRotation(made.clone()), &access_key);
        for change in &mut commit.changes {
            if let Change::Key(key) = change {
                key.aws_created_at = Some(days_ago(key_days));
            }
        }
        self.store
            .commit(claim, &commit, Some(&values(&access_key)), None, at(2))
            .await
            .unwrap();
        self.store.release(claim).await.unwrap();
        Made { rotation: made }
    }

    /// Claims the user of a rotation once more, until a moment.
    async fn hold(&self, made: &Made, until: Moment) -> Claim {
        let terms = keywheel_store::ledgers::LeaseTerms {
            node: "one",
            now: NOW,
            until,
        };
        let user = made.rotation.user;
        self.store.claim_user(user, terms).await.unwrap().unwrap()
    }

    async fn add_key(&self, made: &Made, key: ManagedKey) {
        let claim = self.hold(made, NOW + Millis::from_hours(1)).await;
        self.store
            .commit(claim, &changes(vec![Change::Key(key)]), None, None, at(2))
            .await
            .unwrap();
        self.store.release(claim).await.unwrap();
    }

    fn filter(&self) -> RotationFilter {
        RotationFilter {
            viewed: Viewed::Projects(vec![self.world.project, self.other]),
            environment: None,
            state: None,
            connection: None,
            text: None,
        }
    }

    /// The names that a filter finds, and how many there are in all.
    async fn found(&self, filter: RotationFilter, order: RotationOrder) -> (Vec<String>, u32) {
        let found = self
            .store
            .search_rotations(&filter, order, &Page::whole(), GLANCE)
            .await;
        let found = found.unwrap();
        (names(&found.part.rows), found.total)
    }
}

struct Made {
    rotation: Rotation,
}

fn names(lines: &[RotationLine]) -> Vec<String> {
    lines.iter().map(|line| line.name.to_string()).collect()
}

fn elsewhere(place: Place) -> impl FnOnce(&mut Rotation) {
    move |rotation| rotation.place = place
}

pub async fn a_line_says_what_a_rotation_is_and_how_it_stands(store: &Shared) {
    let stage = Stage::set(store).await;
    let made = stage.rotation("billing", 12, |_| ()).await;
    let rotation = &made.rotation;
    let (filter, order) = (stage.filter(), RotationOrder::Name);
    let found = store
        .search_rotations(&filter, order, &Page::whole(), GLANCE)
        .await
        .unwrap();
    let [line] = &found.part.rows[..] else {
        panic!("one line: {found:?}");
    };
    assert_eq!((line.id, line.name.as_str()), (rotation.id, "billing"));
    assert_eq!(
        (line.state, line.description.as_deref()),
        (State::Healthy, Some("for tests"))
    );
    assert_eq!(line.project.id, stage.world.project);
    assert_eq!(
        (line.project.name.as_str(), line.project.slug.as_str()),
        ("demo-project", "demo-project")
    );
    assert_eq!(
        (line.environment.id, line.environment.name.as_str()),
        (stage.world.environment, "DEV")
    );
    assert_eq!((line.environment.slug.as_str(), line.path.as_str()), ("dev", "/"));
    assert_eq!(line.connection, (stage.world.connection, slug("aws-main")));
    assert_eq!(
        (line.user_name.as_str(), line.region.as_str()),
        ("svc_billing", "us-east-1")
    );
    assert_eq!((line.automatic, line.interval_days), (true, 30));
    assert_eq!(line.key_created_at, Some(days_ago(12)));
    assert_eq!(line.last_rotated_at, rotation.last_rotated_at);
    assert_eq!(
        (line.next_attempt_at, &line.last_message),
        (Some(NOW + Millis::DAY), &None)
    );
}

pub async fn every_filter_of_a_search_finds_what_it_names_and_counts_it(store: &Shared) {
    let stage = Stage::set(store).await;
    let dev = stage.rotation("alpha", 1, |_| ()).await;
    stage.rotation("beta", 2, elsewhere(stage.other_place)).await;
    let order = RotationOrder::Name;
    let found = async |change: &dyn Fn(&mut RotationFilter)| {
        let mut filter = stage.filter();
        change(&mut filter);
        stage.found(filter, order).await
    };
    let just = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let count = u32::try_from(names.len()).unwrap();
        (names, count)
    };
    assert_eq!(found(&|_| ()).await, just(&["alpha", "beta"]));
    let project = stage.world.project;
    assert_eq!(
        found(&|f| f.viewed = Viewed::Projects(vec![project])).await,
        just(&["alpha"])
    );
    assert_eq!(found(&|f| f.viewed = Viewed::Projects(vec![])).await, just(&[]));
    assert_eq!(found(&|f| f.viewed = Viewed::All).await, just(&["alpha", "beta"]));
    assert_eq!(
        found(&|f| f.environment = Some(slug("prod"))).await,
        just(&["beta"])
    );
    let connection = dev.rotation.settings.connection;
    assert_eq!(found(&|f| f.connection = Some(connection)).await.1, 2);
    assert_eq!(
        found(&|f| f.connection = Some(id!(ConnectionId))).await,
        just(&[])
    );
    assert_eq!(
        found(&|f| f.text = Some("LPH".to_owned())).await,
        just(&["alpha"])
    );
    assert_eq!(
        found(&|f| f.text = Some("svc_b".to_owned())).await,
        just(&["beta"])
    );
    // A sign of patterns is a sign like any other.
    assert_eq!(found(&|f| f.text = Some("s_c".to_owned())).await, just(&[]));
    assert_eq!(found(&|f| f.text = Some("%".to_owned())).await, just(&[]));
}

pub async fn each_state_is_found_and_counted_as_the_rule_has_it(store: &Shared) {
    let stage = Stage::set(store).await;
    stage.rotation("healthy", 1, |_| ()).await;
    stage
        .rotation("barely", 1, |r| {
            r.next_attempt_at = Some(NOW - Millis::from_hours(1));
        })
        .await;
    stage
        .rotation("overdue", 31, |r| {
            r.next_attempt_at = Some(NOW - Millis::from_hours(1) - Millis::new(1));
        })
        .await;
    stage
        .rotation("failing", 90, |r| {
            r.status = RotationStatus::Failed;
            r.last_message = Some("AWS refused".to_owned());
        })
        .await;
    stage
        .rotation("paused", 91, |r| {
            r.settings.automatic = false;
            r.next_attempt_at = None;
        })
        .await;
    let rotating = stage.rotation("rotating", 61, |_| ()).await;
    stage.hold(&rotating, NOW + Millis::new(1)).await;
    let over = stage.rotation("over", 1, |_| ()).await;
    stage.hold(&over, NOW).await;
    for (state, expected) in [
        (State::Healthy, &["barely", "healthy", "over"][..]),
        (State::Rotating, &["rotating"]),
        (State::Failing, &["failing"]),
        (State::Overdue, &["overdue"]),
        (State::Paused, &["paused"]),
    ] {
        let filter = RotationFilter {
            state: Some(state),
            ..stage.filter()
        };
        let (found, total) = stage.found(filter, RotationOrder::Name).await;
        assert_eq!(
            (&found[..], total as usize),
            (
                &expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                expected.len()
            )
        );
    }
    let counts = store.count_rotations(&Viewed::All, GLANCE).await.unwrap();
    let states: Vec<_> = counts.states.into_iter().collect();
    assert_eq!(
        states,
        [
            (State::Healthy, 3),
            (State::Rotating, 1),
            (State::Failing, 1),
            (State::Overdue, 1),
            (State::Paused, 1)
        ]
    );
    // An age of exactly ninety days is within the limit.
    assert_eq!(counts.key_ages, [3, 1, 2, 1]);
    assert_eq!(counts.oldest_key, Some(days_ago(91)));
}

pub async fn every_order_of_a_search_is_the_same_in_parts(store: &Shared) {
    let stage = Stage::set(store).await;
    for (name, key_days, due) in [
        ("delta", 3, Some(5)),
        ("alpha", 3, None),
        ("charlie", 9, Some(5)),
        ("bravo", 1, Some(1)),
        ("echo", 1, None),
    ] {
        stage
            .rotation(name, key_days, |r| {
                r.next_attempt_at = due.map(|days| NOW + Millis::DAY.times(days));
            })
            .await;
    }
    for (order, expected) in [
        (
            RotationOrder::Name,
            ["alpha", "bravo", "charlie", "delta", "echo"],
        ),
        (
            RotationOrder::NextAttempt,
            ["bravo", "delta", "charlie", "alpha", "echo"],
        ),
        (
            RotationOrder::KeyCreated,
            ["charlie", "delta", "alpha", "bravo", "echo"],
        ),
    ] {
        let filter = stage.filter();
        assert_eq!(
            stage.found(filter.clone(), order).await,
            (expected.map(str::to_owned).to_vec(), 5)
        );
        for size in [1, 2, 5] {
            let parts = walk(size, async |page: &Page<FoundKey>| {
                let found = store
                    .search_rotations(&filter, order, page, GLANCE)
                    .await
                    .unwrap();
                assert_eq!(found.total, 5, "a page counts all of them");
                found.part
            });
            assert_eq!(names(&parts.await), expected, "in parts of {size}");
        }
    }
    let foreign = Page {
        size: Some(1),
        after: Some(FoundKey::At(1, id!(RotationId))),
    };
    let filter = stage.filter();
    let refused = store.search_rotations(&filter, RotationOrder::Name, &foreign, GLANCE);
    refused.await.unwrap_err();
}

pub async fn an_overview_shows_what_comes_next_what_failed_and_what_is_to_be_decided(store: &Shared) {
    let stage = Stage::set(store).await;
    let mut all = Vec::new();
    for number in 0..i64::from(ROWS_SHOWN) + 2 {
        let change = |r: &mut Rotation| {
            r.next_attempt_at = (number > 0).then(|| NOW + Millis::from_hours(20 - number));
            r.settings.automatic = number > 0;
            r.last_attempted_at = at(number);
            if number < 3 {
                r.status = RotationStatus::Failed;
            }
        };
        all.push(stage.rotation(&format!("r{number:02}"), number, change).await);
    }
    let hidden = stage.rotation("hidden", 400, elsewhere(stage.other_place)).await;
    for (made, access_key, state, seen) in [
        (&all[3], "AKIAF1", KeyState::Unmanaged, 9),
        (&all[4], "AKIAS1", KeyState::OrphanSuspect, 8),
        (&all[4], "AKIAS2", KeyState::OrphanSuspect, 7),
        (&all[5], "AKIAGONE", KeyState::Lost, 6),
        (&hidden, "AKIAHIDDEN", KeyState::Unmanaged, 5),
    ] {
        let mut undecided = key(access_key);
        (undecided.state, undecided.origin) = (state, Origin::Unknown);
        undecided.first_seen_at = at(seen);
        undecided.ended_at = state.is_end().then_some(at(seen));
        stage.add_key(made, undecided).await;
    }
    // Somebody has said what these are: one was given back, the other was made by a person.
    let claim = stage.hold(&all[3], NOW + Millis::from_hours(1)).await;
    let create = intent(claim, IntentKind::Create, 7);
    let opened = changes(vec![Change::OpenIntent(create.clone())]);
    store.commit(claim, &opened, None, None, at(2)).await.unwrap();
    store.release(claim).await.unwrap();
    let mut given_back = key("AKIAD1");
    given_back.origin = Origin::Created;
    let mut theirs = key("AKIAD2");
    (theirs.origin, theirs.explained_by) = (Origin::Unknown, Some(create.id));
    for mut decided in [given_back, theirs] {
        decided.state = KeyState::Unmanaged;
        assert!(!decided.is_foreign());
        stage.add_key(&all[3], decided).await;
    }
    stage.hold(&all[2], NOW + Millis::from_hours(1)).await;
    let viewed = Viewed::Projects(vec![stage.world.project]);
    let seen = store.rotations_overview(&viewed, GLANCE).await.unwrap();
    assert_eq!(
        names(&seen.due_next),
        (2..12).rev().map(|n| format!("r{n:02}")).collect::<Vec<_>>()
    );
    // The third is at work again.
    assert_eq!(names(&seen.failing), ["r01", "r00"]);
    let undecided: Vec<_> = seen
        .undecided
        .iter()
        .map(|k| (k.key.as_str(), k.rotation.name.as_str(), k.is_suspect, k.since))
        .collect();
    assert_eq!(
        undecided,
        [
            ("AKIAS2", "r04", true, at(7)),
            ("AKIAS1", "r04", true, at(8)),
            ("AKIAF1", "r03", false, at(9)),
        ]
    );
    assert_eq!((seen.counts.suspects, seen.counts.foreign), (2, 1));
    assert_eq!(seen.counts.states.values().sum::<u32>(), 12);
    assert_eq!(seen.counts.oldest_key, Some(days_ago(11)));
    assert_eq!(
        store.count_rotations(&Viewed::All, GLANCE).await.unwrap().foreign,
        2
    );
    let nothing = store
        .rotations_overview(&Viewed::Projects(vec![]), GLANCE)
        .await
        .unwrap();
    assert_eq!(
        (
            nothing.counts.states.len(),
            nothing.due_next.len(),
            nothing.counts.oldest_key
        ),
        (0, 0, None)
    );
}

pub async fn a_survey_has_every_project_with_the_counts_of_its_members_and_rotations(store: &Shared) {
    let stage = Stage::set(store).await;
    let (organization, admin) = (stage.world.organization, stage.world.admin);
    let empty = project(organization, "third");
    store.create_project(&empty, &[], None).await.unwrap();
    let (gone, stays) = (identity(organization, "gone"), identity(organization, "stays"));
    for identity in [&gone, &stays] {
        store.create_identity(identity).await.unwrap();
    }
    for (place, member) in [
        (stage.world.project, admin),
        (stage.world.project, stays.id),
        (stage.other, stays.id),
        (stage.other, gone.id),
        (empty.id, gone.id),
    ] {
        store
            .create_membership(&membership(place, member, "viewer"))
            .await
            .unwrap();
    }
    stage.rotation("one", 1, |_| ()).await;
    stage.rotation("two", 1, elsewhere(stage.other_place)).await;
    stage.rotation("three", 1, elsewhere(stage.other_place)).await;
    store.delete_identity(gone.id).await.unwrap();
    let survey = async |search: &str| {
        let found = store
            .survey_projects(organization, admin, search, &Page::whole())
            .await
            .unwrap();
        let told = found
            .rows
            .into_iter()
            .map(|p| (p.slug.to_string(), p.is_member, p.members, p.rotations));
        told.collect::<Vec<_>>()
    };
    let [mine, theirs, orphan] = [
        ("demo-project".to_owned(), true, 2, 1),
        ("second".to_owned(), false, 1, 2),
        ("third".to_owned(), false, 0, 0),
    ];
    assert_eq!(survey("").await, [mine, theirs.clone(), orphan]);
    assert_eq!(survey("SECO").await, [theirs]);
    // A sign of patterns is a sign like any other.
    assert_eq!(survey("%").await, []);
    let elsewhere = store
        .survey_projects(id!(OrganizationId), admin, "", &Page::whole())
        .await
        .unwrap();
    assert_eq!(elsewhere.rows, []);
}

pub async fn the_uses_of_a_connection_are_counted_over_all_projects(store: &Shared) {
    let stage = Stage::set(store).await;
    stage.rotation("one", 1, |_| ()).await;
    stage.rotation("two", 1, |_| ()).await;
    stage.rotation("three", 1, elsewhere(stage.other_place)).await;
    let uses = store.connection_uses(stage.world.connection).await.unwrap();
    assert_eq!((uses.rotations, uses.projects), (3, 2));
}
