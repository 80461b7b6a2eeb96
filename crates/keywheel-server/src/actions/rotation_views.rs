//! Rotations of many projects at a glance, for whoever may read them there.

use keywheel_core::clock::Moment;
use keywheel_core::ids::{ConnectionId, ProjectId};
use keywheel_core::names::Slug;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc, slots_after};
use keywheel_core::rotation::state::State;
use keywheel_store::rotation_views::{
    FoundKey, FoundRotations, Glance, PROJECTS_MAX, RotationFilter, RotationOrder, RotationsOverview, Viewed,
};
use keywheel_store::{Page, StoreError};

use super::projects::{ProjectRef, find_id};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::of_type;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Dates of a schedule that is being chosen: enough to see its rhythm.
const DATES_SHOWN: usize = 5;

/// Which rotations are looked for.
pub struct Search {
    /// Only those of a project.
    pub project: Option<String>,
    /// Only those of environments with this slug.
    pub environment: Option<Slug>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that use this connection.
    pub connection: Option<ConnectionId>,
    /// A part of their name, or of that of their IAM user.
    pub text: Option<String>,
    /// Their order.
    pub order: RotationOrder,
}

/// The rotations that are looked for, among those that the caller may read.
pub async fn search(
    app: &App,
    caller: &Caller,
    wanted: Search,
    page: &Page<FoundKey>,
) -> Result<FoundRotations, ApiError> {
    let filter = RotationFilter {
        viewed: viewed(app, caller, wanted.project).await?,
        environment: wanted.environment,
        state: wanted.state,
        connection: wanted.connection,
        text: wanted.text,
    };
    let found = app
        .store()
        .search_rotations(&filter, wanted.order, page, glance(app).await?)
        .await?;
    caller.note("count", found.part.rows.len());
    Ok(found)
}

/// How the rotations that the caller may read stand.
pub async fn overview(
    app: &App,
    caller: &Caller,
    project: Option<String>,
) -> Result<RotationsOverview, ApiError> {
    let viewed = viewed(app, caller, project).await?;
    let glance = glance(app).await?;
    let found = app.store().rotations_overview(&viewed, glance).await?;
    caller.note("count", found.counts.states.values().sum::<u32>());
    Ok(found)
}

/// When a rotation with this schedule would rotate, if it were made or rotated now.
pub fn schedule(app: &App, interval: IntervalDays, rotate_at: RotateAtUtc) -> Vec<Moment> {
    let day_length = app.engine().timings().day_length;
    slots_after(app.now(), interval, rotate_at, day_length)
        .take(DATES_SHOWN)
        .collect()
}

/// What states are told by at this moment.
pub(crate) async fn glance(app: &App) -> Result<Glance, StoreError> {
    Ok(Glance {
        now: app.store().shared_time(app.now()).await?,
        leases_now: app.engine().lease_time().await?,
        day_length: app.engine().timings().day_length,
    })
}

/// Whose rotations the caller may read: those of one project, or of all in which one of its roles allows it.
async fn viewed(app: &App, caller: &Caller, project: Option<String>) -> Result<Viewed, ApiError> {
    let projects = if let Some(project) = project {
        vec![of_project(app, caller, project).await?]
    } else {
        caller.open(Event::GetRotations, None, of_type()).await?;
        caller
            .projects_where(Action::Read, Subject::Rotations, PROJECTS_MAX)
            .await?
    };
    Ok(Viewed::Projects(projects))
}

async fn of_project(app: &App, caller: &Caller, project: String) -> Result<ProjectId, ApiError> {
    let project = find_id(app, caller, &ProjectRef::Id(project)).await?;
    caller.open(Event::GetRotations, project, of_type()).await?;
    caller.require(project, Action::Read, Subject::Rotations).await?;
    Ok(project)
}
