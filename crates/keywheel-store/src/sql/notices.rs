//! What is told once: found in commits of the engine, or by a look at the dates that are past.

use keywheel_core::clock::Moment;
use keywheel_core::ids::{FolderId, ManagedUserId, RotationId};
use keywheel_core::ledger::{Author, Commit};
use keywheel_core::rotation::state::State;
use keywheel_core::webhooks::commits::{self, AffectedRotation, Notice};
use keywheel_core::webhooks::{AboutRotation, EventName, Occurrence};

use super::adapter::Session;
use super::ledger_changes::Touched;
use super::rotation_views::{standing_args, standings_of};
use super::value::{Reader, args};
use super::{SqlStore, all_in, one_in, outbox};
use crate::error::Result;
use crate::rotation_views::Glance;
use crate::webhooks::OVERDUE_AT_A_TIME;

/// Columns of [`affected`], of a rotation `r`.
const AFFECTED: &str =
    "r.id, r.name, r.user_name, r.next_attempt_at, COALESCE(r.slot_at, r.next_attempt_at), r.folder_id";

fn affected(r: &mut Reader) -> Result<(AffectedRotation, FolderId)> {
    let about = AboutRotation {
        id: r.id()?,
        name: r.text()?,
        user: r.text()?,
    };
    let rotation = AffectedRotation {
        about,
        next_attempt_at: r.opt_moment()?,
        slot_at: r.opt_moment()?,
    };
    Ok((rotation, r.id()?))
}

/// Leaves what a commit of the engine gives to tell of the rotation of a user: that it published another key, if it
/// changed its `folder`, and what is told once. Without a rotation nobody can have asked to hear of it.
pub(super) async fn note_commit(
    session: &mut Box<dyn Session>,
    user: ManagedUserId,
    commit: &Commit,
    by: Author,
    touched: &Touched,
    now: Moment,
) -> Result<()> {
    for subject in commits::forgotten(commit) {
        let sql = "DELETE FROM notices WHERE event IN ($1, $2) AND subject = $3";
        let events = [EventName::KeySuspect, EventName::KeyRetiringInUse].map(EventName::as_str);
        session.execute(sql, args![events[0], events[1], subject]).await?;
    }
    if commit.publish.is_none() && !commits::may_notice(commit) {
        return Ok(());
    }
    let sql = format!("SELECT {AFFECTED} FROM rotations r WHERE r.user_id = $1");
    let Some((rotation, folder)) = one_in(session, &sql, args![user], affected).await? else {
        return Ok(());
    };
    // A publish that is made again, because its answer was lost, changes nothing.
    if touched.contains(&folder)
        && let Some(occurrence) = commits::rotated(commit, by, &rotation)
    {
        outbox::note(session, folder, &occurrence, now).await?;
    }
    for notice in commits::notices(commit, &rotation) {
        tell_once(session, folder, &notice, now).await?;
    }
    Ok(())
}

/// Leaves a notice, unless it was left before: of several that try at the same moment one does.
async fn tell_once(
    session: &mut Box<dyn Session>,
    folder: FolderId,
    notice: &Notice,
    now: Moment,
) -> Result<bool> {
    let sql = "INSERT INTO notices (event, subject, mark) VALUES ($1, $2, $3) ON CONFLICT (event, subject) \
               DO UPDATE SET mark = excluded.mark WHERE notices.mark <> excluded.mark";
    let event = notice.occurrence.event().as_str();
    let values = args![event, &notice.subject, notice.mark];
    let is_new = session.execute(sql, values).await? > 0;
    if is_new {
        outbox::note(session, folder, &notice.occurrence, now).await?;
    }
    Ok(is_new)
}

/// See [`crate::Webhooks::tell_overdue`]. Looked at outside of a transaction first: mostly there is nothing to write.
pub(super) async fn tell_overdue(store: &SqlStore, glance: Glance, now: Moment) -> Result<u32> {
    let sql = overdue_sql();
    let mut values = standing_args(glance);
    values.extend(args![EventName::RotationOverdue.as_str(), OVERDUE_AT_A_TIME]);
    let found = store.all(&sql, values.clone(), overdue).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let mut session = store.write_aside().await?;
    let mut told = 0;
    for (notice, folder) in all_in(&mut session, &sql, values, overdue).await? {
        told += u32::from(tell_once(&mut session, folder, &notice, now).await?);
    }
    session.commit().await?;
    Ok(told)
}

/// Rotations that are overdue, and that were not told of at this date. A retry is no date of its own. That the date is past
/// is said twice, for the index.
pub(super) fn overdue_sql() -> String {
    let is_overdue = standings_of(State::Overdue);
    format!(
        "SELECT {AFFECTED} FROM rotations r \
         WHERE r.next_attempt_at < $3 AND {is_overdue} \
           AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.event = $4 AND n.subject = r.id \
             AND n.mark = COALESCE(r.slot_at, r.next_attempt_at)) ORDER BY r.next_attempt_at, r.id LIMIT $5"
    )
}

/// Forgets what was told of a rotation that goes.
pub(super) async fn forget_rotation(session: &mut Box<dyn Session>, id: RotationId) -> Result<()> {
    let sql = "DELETE FROM notices WHERE event = $1 AND subject = $2";
    let event = EventName::RotationOverdue.as_str();
    session.execute(sql, args![event, id]).await.map(drop)
}

fn overdue(r: &mut Reader) -> Result<(Notice, FolderId)> {
    let (AffectedRotation { about, slot_at, .. }, folder) = affected(r)?;
    let due_at = slot_at.unwrap_or(Moment::LONG_AGO);
    let subject = about.id.to_string();
    let occurrence = Occurrence::RotationOverdue {
        rotation: about,
        due_at,
    };
    let notice = Notice {
        occurrence,
        subject,
        mark: due_at,
    };
    Ok((notice, folder))
}
