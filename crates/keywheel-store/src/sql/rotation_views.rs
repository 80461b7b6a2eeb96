//! Statements that look at rotations of many projects. What is counted or ordered is read of all of them; what belongs to a
//! line is read for those that are shown.

use std::collections::BTreeMap;

use async_trait::async_trait;
use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::RotationId;
use keywheel_core::rotation::state::{KEY_AGE_DAYS, Standing, State, late_before};

use super::adapter::Session;
use super::identities::pattern;
use super::pages::{self, KeyValues, Order};
use super::snapshot::places;
use super::value::{Reader, Value, args};
use super::{SqlStore, all_in, one_in};
use crate::error::{Result, StoreError};
use crate::ledgers::LEASE_AHEAD_MAX;
use crate::pages::{Page, Part};
use crate::rotation_views::{
    DECISIONS_SHOWN, FoundKey, FoundRotations, Glance, Named, ROWS_SHOWN, RotationCounts, RotationFilter,
    RotationLine, RotationOrder, RotationViews, RotationsOverview, UndecidedKey, Viewed,
};

const IN_FOLDERS: &str =
    "JOIN folders f ON f.id = r.folder_id JOIN environments e ON e.id = f.environment_id";
/// The published key. Its state is named so that the index of published keys alone is read.
const WITH_KEY: &str = "LEFT JOIN managed_keys k ON k.state = 'published' AND k.user_id = r.user_id \
    AND k.access_key_id = CASE r.active_slot WHEN 1 THEN r.slot_1 ELSE r.slot_0 END";
/// When the published key was made; when it was first seen, if AWS did not say.
const KEY_CREATED: &str = "COALESCE(k.aws_created_at, k.first_seen_at)";
/// Keys that somebody has to decide on: suspects, and what
/// [`ManagedKey::is_foreign`](keywheel_core::key::ManagedKey::is_foreign) says. The states are said first, for their index.
const UNDECIDED: &str = "k.state IN ('orphan_suspect', 'unmanaged') AND (k.state = 'orphan_suspect' \
    OR (k.origin = '\"unknown\"' AND (k.explained_by IS NULL OR k.last_used IS NOT NULL)))";

/// The code of [`Standing`], in terms of `$1` to `$3`: see [`standing_args`]. Few users are held, and an index has them.
const STANDING: &str = "(CASE WHEN r.user_id IN (SELECT u.id FROM managed_users u WHERE u.lease_until > $1 \
    AND u.lease_until <= $2) THEN 6 ELSE 0 END \
    + CASE WHEN r.status = 'failed' THEN 3 ELSE 0 END \
    + CASE WHEN NOT r.automatic THEN 0 WHEN r.next_attempt_at < $3 THEN 2 ELSE 1 END)";

pub(super) fn standing_args(glance: Glance) -> Vec<Value> {
    let Glance {
        now,
        leases_now,
        day_length,
    } = glance;
    args![
        leases_now,
        leases_now + LEASE_AHEAD_MAX,
        late_before(now, day_length)
    ]
}

fn state(r: &mut Reader) -> Result<State> {
    let standing = Standing::from_code(r.int()?);
    let standing = standing.ok_or_else(|| StoreError::corrupt("the standing of a rotation"))?;
    Ok(standing.state())
}

/// Conditions of a statement, with their values.
struct Conditions {
    args: Vec<Value>,
    sql: Vec<String>,
}

impl Conditions {
    fn of(viewed: &Viewed, glance: Glance) -> Self {
        let mut all = Self {
            args: standing_args(glance),
            sql: vec!["1 = 1".to_owned()],
        };
        if let Viewed::Projects(projects) = viewed {
            let listed = places(all.args.len(), projects.len());
            all.args.extend(projects.iter().copied().map(Value::from));
            all.sql.push(if projects.is_empty() {
                "1 = 0".to_owned()
            } else {
                format!("e.project_id IN ({listed})")
            });
        }
        all
    }

    /// Adds a value; its number.
    fn value(&mut self, value: impl Into<Value>) -> usize {
        self.args.push(value.into());
        self.args.len()
    }

    fn with(mut self, value: impl Into<Value>, sql: impl FnOnce(usize) -> String) -> Self {
        let number = self.value(value);
        self.and(sql(number))
    }

    fn and(mut self, sql: impl Into<String>) -> Self {
        self.sql.push(sql.into());
        self
    }

    fn found_by(filter: &RotationFilter, glance: Glance) -> Self {
        let mut all = Self::of(&filter.viewed, glance);
        if let Some(environment) = &filter.environment {
            all = all.with(environment, |n| format!("e.slug = ${n}"));
        }
        if let Some(connection) = filter.connection {
            all = all.with(connection, |n| format!("r.connection_id = ${n}"));
        }
        if let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) {
            all = all.with(pattern(text), |n| {
                format!("(lower(r.name) LIKE ${n} ESCAPE '\\' OR lower(r.user_name) LIKE ${n} ESCAPE '\\')")
            });
        }
        match filter.state {
            Some(state) => all.and(standings_of(state)),
            None => all,
        }
    }

    fn sql(&self) -> String {
        self.sql.join(" AND ")
    }
}

/// The condition that a rotation is in a state.
pub(super) fn standings_of(state: State) -> String {
    let codes = Standing::ALL
        .into_iter()
        .filter(|standing| standing.state() == state);
    let codes: Vec<String> = codes.map(|standing| standing.code().to_string()).collect();
    format!("{STANDING} IN ({})", codes.join(", "))
}

impl RotationOrder {
    const fn columns(self) -> Order {
        match self {
            Self::Name => Order::Up(&["r.name", "r.id"]),
            // The greatest number stands for never.
            Self::NextAttempt => Order::Up(&["COALESCE(r.next_attempt_at, 9223372036854775807)", "r.id"]),
            Self::KeyCreated => Order::Up(&[
                "COALESCE(k.aws_created_at, k.first_seen_at, 9223372036854775807)",
                "r.id",
            ]),
        }
    }

    fn key(self, line: &RotationLine) -> FoundKey {
        let at = |moment: Option<Moment>| FoundKey::At(moment.map_or(i64::MAX, Moment::as_millis), line.id);
        match self {
            Self::Name => FoundKey::Name(line.name.to_string(), line.id),
            Self::NextAttempt => at(line.next_attempt_at),
            Self::KeyCreated => at(line.key_created_at),
        }
    }
}

impl KeyValues for FoundKey {
    fn values(&self) -> Vec<Value> {
        match self {
            Self::Name(name, id) => args![name, *id],
            Self::At(at, id) => args![*at, *id],
        }
    }
}

/// Lines, by their ids.
fn lines_sql(ids: &str) -> String {
    format!(
        "SELECT r.id, r.name, r.description, {STANDING}, p.id, p.name, p.slug, e.id, e.name, e.slug, f.path, c.id, \
         c.name, r.user_name, r.region, r.automatic, r.interval_days, {KEY_CREATED}, r.last_rotated_at, \
         r.next_attempt_at, r.last_message FROM rotations r {IN_FOLDERS} JOIN projects p ON p.id = e.project_id \
         JOIN connections c ON c.id = r.connection_id {WITH_KEY} WHERE r.id IN ({ids})"
    )
}

fn line(r: &mut Reader) -> Result<RotationLine> {
    Ok(RotationLine {
        id: r.id()?,
        name: r.slug()?,
        description: r.opt_text()?,
        state: state(r)?,
        project: Named {
            id: r.id()?,
            name: r.title()?,
            slug: r.slug()?,
        },
        environment: Named {
            id: r.id()?,
            name: r.text()?,
            slug: r.slug()?,
        },
        path: r.path()?,
        connection: (r.id()?, r.slug()?),
        user_name: IamUserName::from_trusted(r.text()?),
        region: Region::from_trusted(r.text()?),
        automatic: r.flag()?,
        interval_days: r.small()?,
        key_created_at: r.opt_moment()?,
        last_rotated_at: r.moment()?,
        next_attempt_at: r.opt_moment()?,
        last_message: r.opt_text()?,
    })
}

/// The joins that the conditions of a filter and an order need, and no others: each is a look into an index for every
/// rotation there is.
fn joins(order: Option<RotationOrder>) -> String {
    let with_key = order == Some(RotationOrder::KeyCreated);
    let with_key = if with_key { WITH_KEY } else { "" };
    format!("{IN_FOLDERS} {with_key}")
}

async fn counts(session: &mut Box<dyn Session>, viewed: &Viewed, glance: Glance) -> Result<RotationCounts> {
    let mut counts = RotationCounts::default();
    let mut conditions = Conditions::of(viewed, glance);
    // Where all are looked at, nobody asks where they are.
    let placed = match viewed {
        Viewed::All => "",
        Viewed::Projects(_) => IN_FOLDERS,
    };
    let mut classes = Vec::new();
    for (class, days) in KEY_AGE_DAYS.into_iter().enumerate() {
        let youngest = conditions.value(glance.now - Millis::DAY.times(i64::from(days)));
        classes.push(format!("WHEN {KEY_CREATED} >= ${youngest} THEN {class}"));
    }
    let sql = format!(
        "SELECT standing, class, COUNT(*), MIN(created) FROM (SELECT {STANDING} AS standing, {KEY_CREATED} AS created, \
         CASE WHEN k.user_id IS NULL THEN NULL {} ELSE {} END AS class FROM rotations r {placed} {WITH_KEY} \
         WHERE {}) AS every GROUP BY standing, class",
        classes.join(" "),
        KEY_AGE_DAYS.len(),
        conditions.sql(),
    );
    let group = |r: &mut Reader| Ok((state(r)?, r.opt_int()?, r.small()?, r.opt_moment()?));
    for (state, class, count, oldest) in all_in(session, &sql, conditions.args, group).await? {
        *counts.states.entry(state).or_default() += count;
        let class = class.and_then(|class| usize::try_from(class).ok());
        if let Some(of_class) = class.and_then(|class| counts.key_ages.get_mut(class)) {
            *of_class += count;
        }
        counts.oldest_key = [counts.oldest_key, oldest].into_iter().flatten().min();
    }
    let conditions = Conditions::of(viewed, glance).and(UNDECIDED);
    let sql = format!(
        "SELECT COALESCE(SUM(CASE WHEN k.state = 'unmanaged' THEN 0 ELSE 1 END), 0), \
         COALESCE(SUM(CASE WHEN k.state = 'unmanaged' THEN 1 ELSE 0 END), 0) \
         FROM managed_keys k JOIN rotations r ON r.user_id = k.user_id {placed} WHERE {}",
        conditions.sql()
    );
    let undecided = |r: &mut Reader| Ok((r.small()?, r.small()?));
    let found = one_in(session, &sql, conditions.args, undecided).await?;
    (counts.suspects, counts.foreign) = found.unwrap_or_default();
    Ok(counts)
}

/// Lines of some rotations, by their ids.
async fn lines(
    session: &mut Box<dyn Session>,
    ids: impl Iterator<Item = RotationId>,
    glance: Glance,
) -> Result<BTreeMap<RotationId, RotationLine>> {
    let mut args = standing_args(glance);
    let fixed = args.len();
    args.extend(ids.map(Value::from));
    if args.len() == fixed {
        return Ok(BTreeMap::new());
    }
    let sql = lines_sql(&places(fixed, args.len() - fixed));
    let found = all_in(session, &sql, args, line).await?;
    Ok(found.into_iter().map(|line| (line.id, line)).collect())
}

/// The ids of the first rotations of a list that an index has in its order.
async fn first(
    session: &mut Box<dyn Session>,
    mut conditions: Conditions,
    joins: &str,
    order: &str,
) -> Result<Vec<RotationId>> {
    let limit = conditions.value(ROWS_SHOWN);
    let sql = format!(
        "SELECT r.id FROM rotations r {joins} WHERE {} ORDER BY {order} LIMIT ${limit}",
        conditions.sql(),
    );
    all_in(session, &sql, conditions.args, Reader::id).await
}

type Undecided = (RotationId, AccessKeyId, bool, Moment);

async fn undecided(
    session: &mut Box<dyn Session>,
    viewed: &Viewed,
    glance: Glance,
) -> Result<Vec<Undecided>> {
    let mut conditions = Conditions::of(viewed, glance).and(UNDECIDED);
    let limit = conditions.value(DECISIONS_SHOWN);
    let sql = format!(
        "SELECT r.id, k.access_key_id, k.state = 'orphan_suspect', k.first_seen_at FROM managed_keys k \
         JOIN rotations r ON r.user_id = k.user_id {IN_FOLDERS} WHERE {} \
         ORDER BY k.state, k.first_seen_at, k.access_key_id LIMIT ${limit}",
        conditions.sql(),
    );
    let read = |r: &mut Reader| {
        Ok((
            r.id()?,
            AccessKeyId::from_trusted(r.text()?),
            r.flag()?,
            r.moment()?,
        ))
    };
    all_in(session, &sql, conditions.args, read).await
}

#[async_trait]
impl RotationViews for SqlStore {
    async fn search_rotations(
        &self,
        filter: &RotationFilter,
        order: RotationOrder,
        page: &Page<FoundKey>,
        glance: Glance,
    ) -> Result<FoundRotations> {
        if page.after.as_ref().is_some_and(|key| !order.has(key)) {
            return Err(StoreError::corrupt("a key of another order"));
        }
        let mut session = self.begin_snapshot().await?;
        let mut conditions = Conditions::found_by(filter, glance);
        let sql = format!(
            "SELECT COUNT(*) FROM rotations r {} WHERE {}",
            joins(None),
            conditions.sql()
        );
        let total = one_in(&mut session, &sql, conditions.args.clone(), Reader::small).await?;
        let ids = format!(
            "SELECT r.id FROM rotations r {} WHERE {}",
            joins(Some(order)),
            conditions.sql()
        );
        let ids = pages::statement(&ids, order.columns(), &mut conditions.args, page);
        let sql = format!("{} {}", lines_sql(&ids), order.columns());
        let rows = all_in(&mut session, &sql, conditions.args, line).await?;
        Ok(FoundRotations {
            part: Part::cut_by(rows, page.size, |line| order.key(line)),
            total: total.unwrap_or_default(),
        })
    }

    async fn count_rotations(&self, viewed: &Viewed, glance: Glance) -> Result<RotationCounts> {
        counts(&mut self.begin_snapshot().await?, viewed, glance).await
    }

    async fn deliveries_waiting(&self) -> Result<u32> {
        let sql = "SELECT COUNT(*) FROM webhook_deliveries";
        Ok(self.one(sql, args![], Reader::small).await?.unwrap_or_default())
    }

    async fn rotations_overview(&self, viewed: &Viewed, glance: Glance) -> Result<RotationsOverview> {
        let mut session = self.begin_snapshot().await?;
        let counts = counts(&mut session, viewed, glance).await?;
        let of = || Conditions::of(viewed, glance);
        let with_next = of().and("r.next_attempt_at IS NOT NULL");
        let due_next = first(&mut session, with_next, IN_FOLDERS, "r.next_attempt_at, r.id").await?;
        let failed = of().and("r.status = 'failed'").and(standings_of(State::Failing));
        let failing = first(&mut session, failed, IN_FOLDERS, "r.last_attempted_at DESC, r.id").await?;
        let undecided = undecided(&mut session, viewed, glance).await?;
        let shown = due_next
            .iter()
            .chain(&failing)
            .chain(undecided.iter().map(|(id, ..)| id));
        let lines = lines(&mut session, shown.copied(), glance).await?;
        let line = |id: &RotationId| lines.get(id).cloned();
        Ok(RotationsOverview {
            counts,
            due_next: due_next.iter().filter_map(line).collect(),
            failing: failing.iter().filter_map(line).collect(),
            undecided: undecided
                .into_iter()
                .filter_map(|(id, key, is_suspect, since)| {
                    Some(UndecidedKey {
                        rotation: line(&id)?,
                        key,
                        is_suspect,
                        since,
                    })
                })
                .collect(),
        })
    }
}
