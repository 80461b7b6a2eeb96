//! Worlds to begin a story with, and faults at every point of one.

use keywheel_core::aws::{IamUserName, Region};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ConnectionId, EnvironmentId, FolderId, ProjectId, RotationId, SecretId};
use keywheel_core::names::{SecretName, Slug};
use keywheel_core::rotation::policy::{Hours, Policy, Retirement};
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{MappedSecrets, Place, RotationSettings, SecretsMapping, Trigger};
use keywheel_core::run::{Adoption, Goal, NewRotation, Outcome};

use super::{Fault, World};

pub(crate) fn settings() -> RotationSettings {
    RotationSettings {
        name: Slug::parse("name", "demo").unwrap(),
        description: None,
        connection: ConnectionId::new(Moment::from_millis(1), &[9; 10]),
        user_name: IamUserName::from_trusted("app"),
        region: Region::default(),
        mapping: SecretsMapping::new(
            SecretName::parse("ID").unwrap(),
            SecretName::parse("SECRET").unwrap(),
        )
        .unwrap(),
        automatic: true,
        interval: IntervalDays::new(30).unwrap(),
        rotate_at: RotateAtUtc::MIDNIGHT,
        policy: Policy::default(),
    }
}

pub(crate) fn create_goal() -> Goal {
    create_with(Adoption::None, Policy::default())
}

pub(crate) fn create_with(adoption: Adoption, policy: Policy) -> Goal {
    let at = Moment::from_millis(1);
    Goal::Create(Box::new(NewRotation {
        id: RotationId::new(at, &[1; 10]),
        place: Place {
            project: ProjectId::new(at, &[2; 10]),
            environment: EnvironmentId::new(at, &[3; 10]),
            folder: FolderId::new(at, &[4; 10]),
        },
        settings: RotationSettings { policy, ..settings() },
        adoption,
        secrets: MappedSecrets {
            access_key_id: SecretId::new(at, &[5; 10]),
            secret_access_key: SecretId::new(at, &[6; 10]),
        },
    }))
}

/// A world with a rotation under a policy that has run `rotations` times by hand.
pub(crate) fn rotated_under(policy: Policy, rotations: usize) -> World {
    let mut world = World::new();
    assert_eq!(
        world.run(create_with(Adoption::None, policy)),
        Some(Outcome::Published)
    );
    for _ in 0..rotations {
        world.now = world.now + Millis::from_secs(3_600);
        assert_eq!(world.run(Goal::Rotate(Trigger::Manual)), Some(Outcome::Published));
    }
    assert_eq!(world.violations, Vec::<String>::new());
    world.effects = 0;
    world
}

/// A world with a rotation that has run `rotations` times by hand.
pub(crate) fn rotated(rotations: usize) -> World {
    rotated_under(Policy::default(), rotations)
}

/// What a run to this goal does with each fault at each of its effects: the world that it leaves behind, and how
/// it ended.
pub(crate) fn struck(make: impl Fn() -> World, goal: &Goal) -> Vec<(Fault, World, Option<Outcome>)> {
    let mut calm = make();
    calm.effects = 0;
    calm.run(goal.clone());
    let faults = (0..calm.effects).flat_map(|at| {
        [
            Fault::CrashBefore(at),
            Fault::CrashAfter(at),
            Fault::AnswerLost(at),
            Fault::ErrorWithoutEffect(at),
        ]
    });
    faults
        .map(|fault| {
            let mut world = make();
            (world.effects, world.fault) = (0, fault);
            let outcome = world.run(goal.clone());
            (fault, world, outcome)
        })
        .collect()
}

/// Active for so many hours after it was displaced, then inactive for so many, then gone.
pub(crate) fn grace(active: i64, inactive: i64) -> Policy {
    Policy {
        retirement: Retirement::Grace {
            grace_hours: Hours::new(active).unwrap(),
            quarantine_hours: Hours::new(inactive).unwrap(),
        },
        ..Policy::default()
    }
}

/// Past the time for which lists may lag behind what was done.
pub(crate) fn lists_are_right(world: &mut World) {
    world.now = world.now + super::timings().late_landing;
}
