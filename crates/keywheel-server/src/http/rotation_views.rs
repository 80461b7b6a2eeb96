//! Rotations of many projects at a glance: a search, an overview, and the dates of a schedule.

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{OverviewAnswer, ScheduleAnswer, SearchAnswer};
use super::answer::{Answer, Reply};
use super::extract::Query;
use super::openapi::query_of;
use super::paging::PagedReply;
use crate::actions::rotation_views;
use crate::app::App;
use crate::auth::caller::Caller;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search))
        .routes(routes!(overview))
        .routes(routes!(schedule))
}

query_of!(
    /// Which rotations, in which order, and which page.
    SearchRotationsQuery = json::search
);
query_of!(
    /// Of which project.
    RotationsOverviewQuery = json::project
);
query_of!(
    /// The schedule.
    ScheduleQuery = json::schedule
);

/// Search rotations
///
/// Of one project, or of all in which the caller may read them. `state` is `rotating` while somebody works on the keys,
/// else `failing` if the last attempt failed, else `overdue` if the next one should have begun an hour ago, else `paused`
/// if automatic rotation is off, else `healthy`.
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/search",
    operation_id = "searchSecretRotations",
    tag = "secret rotations",
    params(SearchRotationsQuery),
    responses((status = 200, body = SearchAnswer))
)]
async fn search(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<SearchAnswer> {
    let (wanted, page) = json::search(query.fields())?;
    let order = wanted.order;
    let page = query.page_if(page, |key| order.has(key))?;
    let found = rotation_views::search(&app, &caller, wanted, &page).await?;
    query.paged(found.part, |lines| SearchAnswer::new(lines, found.total))
}

/// How rotations stand
///
/// Counts, what is due next, what fails and what waits for somebody's decision: of one project, or of all in which the
/// caller may read rotations.
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/overview",
    operation_id = "getSecretRotationsOverview",
    tag = "secret rotations",
    params(RotationsOverviewQuery),
    responses((status = 200, body = OverviewAnswer))
)]
async fn overview(State(app): State<App>, caller: Caller, query: Query) -> Reply<OverviewAnswer> {
    let project = json::project(query.fields())?;
    Ok(Answer(
        rotation_views::overview(&app, &caller, project).await?.into(),
    ))
}

/// The dates of a schedule
///
/// When a rotation with it would rotate, if it were made or rotated now.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/schedule",
    operation_id = "getScheduleDates",
    tag = "secret rotations",
    params(ScheduleQuery),
    responses((status = 200, body = ScheduleAnswer))
)]
async fn schedule(State(app): State<App>, _: Caller, query: Query) -> Reply<ScheduleAnswer> {
    let (interval, rotate_at) = json::schedule(query.fields())?;
    Ok(Answer(rotation_views::schedule(&app, interval, rotate_at).into()))
}
