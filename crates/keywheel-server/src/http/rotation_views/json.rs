//! Queries and answers of rotations at a glance.

use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ConnectionId, EnvironmentId, ProjectId, RotationId};
use keywheel_core::names::{SecretPath, Slug, Title};
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::state::{KEY_AGE_DAYS, State};
use keywheel_store::rotation_views::{
    RotationCounts, RotationLine, RotationOrder, RotationsOverview, UndecidedKey,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::answer::Time;
use super::super::errors::ApiError;
use super::super::fields::{Field, Fields};
use super::super::secret_rotations::{read_interval, read_project};
use crate::actions::rotation_views::Search;
use crate::http::paging::GivenPage;

/// Longest text that is looked for, in characters: names have less.
const TEXT_CHARS_MAX: i64 = 128;
/// Longest slug of an environment that is looked for, in characters.
const SLUG_CHARS_MAX: i64 = 64;
/// The orders and their words.
const ORDERS: [(&str, RotationOrder); 3] = [
    ("name", RotationOrder::Name),
    ("nextRotationAt", RotationOrder::NextAttempt),
    ("keyCreatedAt", RotationOrder::KeyCreated),
];

/// `{rotations, totalCount}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FoundRotations)]
pub(super) struct SearchAnswer {
    rotations: Vec<LineJson>,
    total_count: u32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotationLine)]
struct LineJson {
    #[schema(value_type = uuid::Uuid)]
    id: RotationId,
    #[schema(value_type = String)]
    name: Slug,
    description: Option<String>,
    state: &'static str,
    project: LineProject,
    environment: LineEnvironment,
    #[schema(value_type = String)]
    secret_path: SecretPath,
    connection: LineConnection,
    #[schema(value_type = String)]
    user_name: IamUserName,
    #[schema(value_type = String)]
    region: Region,
    is_auto_rotation_enabled: bool,
    rotation_interval: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    key_created_at: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    last_rotated_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_rotation_at: Option<Time>,
    last_rotation_message: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LineProject {
    #[schema(value_type = uuid::Uuid)]
    id: ProjectId,
    #[schema(value_type = String)]
    name: Title,
    #[schema(value_type = String)]
    slug: Slug,
}

#[derive(Serialize, ToSchema)]
struct LineEnvironment {
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    name: String,
    #[schema(value_type = String)]
    slug: Slug,
}

#[derive(Serialize, ToSchema)]
struct LineConnection {
    #[schema(value_type = uuid::Uuid)]
    id: ConnectionId,
    #[schema(value_type = String)]
    name: Slug,
}

/// `{overview}`
#[derive(Serialize, ToSchema)]
#[schema(as = InRotationsOverview)]
pub(super) struct OverviewAnswer {
    overview: OverviewJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotationsOverview)]
struct OverviewJson {
    total_count: u32,
    states: StateCounts,
    key_ages: Vec<KeyAgeCount>,
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_key_created_at: Option<Time>,
    due_next: Vec<LineJson>,
    failing: Vec<LineJson>,
    decisions: Vec<DecisionJson>,
    decisions_count: u32,
}

/// How many rotations are in each state.
#[derive(Serialize, ToSchema)]
struct StateCounts {
    healthy: u32,
    rotating: u32,
    failing: u32,
    overdue: u32,
    paused: u32,
}

/// How many published keys are older than the class before, and not older than this.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyAgeCount {
    up_to_days: Option<u32>,
    count: u32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyDecision)]
struct DecisionJson {
    rotation: LineJson,
    #[schema(value_type = String)]
    access_key_id: AccessKeyId,
    kind: &'static str,
    #[schema(value_type = String, format = DateTime)]
    since: Time,
}

/// `{dates}`
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleDates)]
pub(super) struct ScheduleAnswer {
    #[schema(value_type = Vec<String>)]
    dates: Vec<Time>,
}

impl SearchAnswer {
    pub(super) fn new(lines: Vec<RotationLine>, total_count: u32) -> Self {
        Self {
            rotations: lines.into_iter().map(LineJson::from).collect(),
            total_count,
        }
    }
}

impl From<RotationLine> for LineJson {
    fn from(line: RotationLine) -> Self {
        let (project, environment) = (line.project, line.environment);
        Self {
            id: line.id,
            name: line.name,
            description: line.description,
            state: line.state.as_str(),
            project: LineProject {
                id: project.id,
                name: project.name,
                slug: project.slug,
            },
            environment: LineEnvironment {
                id: environment.id,
                name: environment.name,
                slug: environment.slug,
            },
            secret_path: line.path,
            connection: LineConnection {
                id: line.connection.0,
                name: line.connection.1,
            },
            user_name: line.user_name,
            region: line.region,
            is_auto_rotation_enabled: line.automatic,
            rotation_interval: line.interval_days,
            key_created_at: line.key_created_at.map(Time),
            last_rotated_at: Time(line.last_rotated_at),
            next_rotation_at: line.next_attempt_at.map(Time),
            last_rotation_message: line.last_message,
        }
    }
}

impl From<RotationsOverview> for OverviewAnswer {
    fn from(found: RotationsOverview) -> Self {
        let lines = |lines: Vec<RotationLine>| lines.into_iter().map(LineJson::from).collect();
        let counts = found.counts;
        Self {
            overview: OverviewJson {
                total_count: counts.states.values().sum(),
                states: StateCounts::from(&counts),
                key_ages: key_ages(&counts),
                oldest_key_created_at: counts.oldest_key.map(Time),
                due_next: lines(found.due_next),
                failing: lines(found.failing),
                decisions: found.undecided.into_iter().map(DecisionJson::from).collect(),
                decisions_count: counts.suspects + counts.foreign,
            },
        }
    }
}

impl From<&RotationCounts> for StateCounts {
    fn from(counts: &RotationCounts) -> Self {
        let count = |state| counts.states.get(&state).copied().unwrap_or_default();
        Self {
            healthy: count(State::Healthy),
            rotating: count(State::Rotating),
            failing: count(State::Failing),
            overdue: count(State::Overdue),
            paused: count(State::Paused),
        }
    }
}

fn key_ages(counts: &RotationCounts) -> Vec<KeyAgeCount> {
    let limits = KEY_AGE_DAYS.map(Some).into_iter().chain([None]);
    let classes = limits.zip(counts.key_ages);
    classes
        .map(|(up_to_days, count)| KeyAgeCount { up_to_days, count })
        .collect()
}

impl From<UndecidedKey> for DecisionJson {
    fn from(undecided: UndecidedKey) -> Self {
        Self {
            rotation: undecided.rotation.into(),
            access_key_id: undecided.key,
            kind: if undecided.is_suspect {
                "suspect"
            } else {
                "foreign"
            },
            since: Time(undecided.since),
        }
    }
}

impl From<Vec<Moment>> for ScheduleAnswer {
    fn from(dates: Vec<Moment>) -> Self {
        Self {
            dates: dates.into_iter().map(Time).collect(),
        }
    }
}

/// Which rotations, in which order, and which page.
pub(super) fn search(mut fields: Fields<'_>) -> Result<(Search, GivenPage), ApiError> {
    let project = fields.optional("projectId", read_project);
    let environment = fields.optional("environment", |f| f.text_within(0..=SLUG_CHARS_MAX));
    let states = State::ALL.map(|state| (state.as_str(), state));
    let state = fields.optional("state", |f| f.one_of(&states));
    let connection = fields.optional("connectionId", Field::id);
    let text = fields.optional("search", |f| f.text_within(0..=TEXT_CHARS_MAX));
    let order = fields.optional("orderBy", |f| f.one_of(&ORDERS));
    let page = GivenPage::read(&mut fields);
    fields.finish(|| {
        let wanted = Search {
            project: project?,
            environment: environment?
                .filter(|slug| !slug.is_empty())
                .map(Slug::from_stored),
            state: state?,
            connection: connection?,
            text: text?,
            order: order?.unwrap_or(RotationOrder::Name),
        };
        Ok((wanted, page?))
    })
}

/// Of which project.
pub(super) fn project(mut fields: Fields<'_>) -> Result<Option<String>, ApiError> {
    let project = fields.optional("projectId", read_project);
    fields.finish(|| project)
}

/// Interval and time of day; midnight unless the request says otherwise.
pub(super) fn schedule(mut fields: Fields<'_>) -> Result<(IntervalDays, RotateAtUtc), ApiError> {
    let interval = fields.required("rotationInterval", read_interval);
    let hours = fields.optional("hours", |f| f.number(0..=23));
    let minutes = fields.optional("minutes", |f| f.number(0..=59));
    let number = |given: Option<serde_json::Number>| given.and_then(|n| n.as_f64()).unwrap_or_default();
    let rotate_at = match (hours, minutes) {
        (Ok(hours), Ok(minutes)) => RotateAtUtc::new(number(hours), number(minutes))
            .ok_or_else(|| fields.refuse("hours", "Not a time of day")),
        (Err(noted), _) | (_, Err(noted)) => Err(noted),
    };
    fields.finish(|| Ok((interval?, rotate_at?)))
}
