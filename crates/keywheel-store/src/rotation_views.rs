//! Rotations of many projects at a glance: to search, and how all of them stand.

use std::collections::BTreeMap;

use async_trait::async_trait;
use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ConnectionId, EnvironmentId, ProjectId, RotationId};
use keywheel_core::names::{SecretPath, Slug, Title};
use keywheel_core::rotation::state::{KEY_AGE_DAYS, State};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::pages::{Page, Part};

/// Most projects that one question names: each is a value of the statement, of which SQLite takes 32,766.
pub const PROJECTS_MAX: u32 = 10_000;
/// Rotations of each list of an overview: what fits on a screen.
pub const ROWS_SHOWN: u32 = 10;
/// Keys of an overview that wait for somebody's decision.
pub const DECISIONS_SHOWN: u32 = 20;
/// Classes of the age of published keys: up to each of [`KEY_AGE_DAYS`], and older.
pub const AGE_CLASSES: usize = KEY_AGE_DAYS.len() + 1;

/// Whose rotations are looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Viewed {
    /// All there are.
    All,
    /// Those of projects, of which there are at most [`PROJECTS_MAX`].
    Projects(Vec<ProjectId>),
}

/// What states are told by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance {
    /// The moment.
    pub now: Moment,
    /// The same moment as leases count it.
    pub leases_now: Moment,
    /// How long a day of the schedule is.
    pub day_length: Millis,
}

/// Which rotations are looked for. What is absent narrows nothing down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RotationFilter {
    /// Whose.
    pub viewed: Viewed,
    /// The slug of their environment.
    pub environment: Option<Slug>,
    /// Their state.
    pub state: Option<State>,
    /// Their connection.
    pub connection: Option<ConnectionId>,
    /// A part of their name or of the name of their IAM user, in any case.
    pub text: Option<String>,
}

/// What found rotations are ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RotationOrder {
    /// Their names.
    Name,
    /// What is due next comes first, and what is never due last.
    NextAttempt,
    /// The oldest published key first.
    KeyCreated,
}

/// Where a rotation stands in its order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FoundKey {
    /// Among names.
    Name(String, RotationId),
    /// Among moments, in milliseconds.
    At(i64, RotationId),
}

impl RotationOrder {
    /// Whether it is a key of this order.
    pub const fn has(self, key: &FoundKey) -> bool {
        matches!(
            (self, key),
            (Self::Name, FoundKey::Name(..)) | (Self::NextAttempt | Self::KeyCreated, FoundKey::At(..))
        )
    }
}

/// A rotation as one line.
#[derive(Clone, PartialEq, Debug)]
pub struct RotationLine {
    /// The rotation.
    pub id: RotationId,
    /// Its name.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// How it stands.
    pub state: State,
    /// Its project.
    pub project: Named<ProjectId, Title>,
    /// Its environment.
    pub environment: Named<EnvironmentId, String>,
    /// The path of its folder.
    pub path: SecretPath,
    /// Its connection.
    pub connection: (ConnectionId, Slug),
    /// Whose keys it renews.
    pub user_name: IamUserName,
    /// Where they are verified.
    pub region: Region,
    /// Whether runs start by themselves.
    pub automatic: bool,
    /// Days between two automatic runs.
    pub interval_days: u32,
    /// When the published key was made; none without one.
    pub key_created_at: Option<Moment>,
    /// When a key was last published.
    pub last_rotated_at: Moment,
    /// When the next attempt is.
    pub next_attempt_at: Option<Moment>,
    /// The text of the last failure.
    pub last_message: Option<String>,
}

/// What a line points at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named<I, N> {
    /// Its id.
    pub id: I,
    /// Its name for people.
    pub name: N,
    /// Its name for programs.
    pub slug: Slug,
}

/// What a search found.
#[derive(Clone, PartialEq, Debug)]
pub struct FoundRotations {
    /// A part of them.
    pub part: Part<RotationLine, FoundKey>,
    /// How many there are in all.
    pub total: u32,
}

/// Counts of rotations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RotationCounts {
    /// By state; a state that none has is absent.
    pub states: BTreeMap<State, u32>,
    /// By the class of the age of their published key: up to each of [`KEY_AGE_DAYS`], and older.
    pub key_ages: [u32; AGE_CLASSES],
    /// When the oldest published key was made.
    pub oldest_key: Option<Moment>,
    /// Keys that wait for somebody's decision: those that may be Keywheel's, and those that are not.
    pub suspects: u32,
    /// The latter.
    pub foreign: u32,
}

/// A key that somebody has to decide on.
#[derive(Clone, PartialEq, Debug)]
pub struct UndecidedKey {
    /// The rotation of its user.
    pub rotation: RotationLine,
    /// The key.
    pub key: AccessKeyId,
    /// Whether it may be Keywheel's; otherwise it is somebody else's.
    pub is_suspect: bool,
    /// When it was first seen.
    pub since: Moment,
}

/// How rotations stand, all together.
#[derive(Clone, PartialEq, Debug)]
pub struct RotationsOverview {
    /// How many there are.
    pub counts: RotationCounts,
    /// Whose next attempt comes first; at most [`ROWS_SHOWN`].
    pub due_next: Vec<RotationLine>,
    /// Whose last attempt failed, latest first; at most [`ROWS_SHOWN`].
    pub failing: Vec<RotationLine>,
    /// Keys to be decided on, suspects first, then those that wait longest; at most [`DECISIONS_SHOWN`].
    pub undecided: Vec<UndecidedKey>,
}

/// Rotations at a glance. Each answer is of one state of the database.
#[async_trait]
pub trait RotationViews: Send + Sync {
    /// The rotations that a filter finds. A page behind a key of another order is refused as corrupt.
    async fn search_rotations(
        &self,
        filter: &RotationFilter,
        order: RotationOrder,
        page: &Page<FoundKey>,
        glance: Glance,
    ) -> Result<FoundRotations>;

    /// How many rotations there are of each kind.
    async fn count_rotations(&self, viewed: &Viewed, glance: Glance) -> Result<RotationCounts>;

    /// How many deliveries to webhooks wait to be made.
    async fn deliveries_waiting(&self) -> Result<u32>;

    /// How rotations stand.
    async fn rotations_overview(&self, viewed: &Viewed, glance: Glance) -> Result<RotationsOverview>;
}
