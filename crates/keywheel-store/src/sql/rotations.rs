//! Statements that read rotations.

use async_trait::async_trait;
use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::ids::{FolderId, ProjectId, RotationId};
use keywheel_core::names::{SecretName, Slug};
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{
    MappedSecrets, Place, Rotation, RotationSettings, RotationStatus, SecretsMapping, SlotIndex, Slots,
};

use super::pages::Order;
use super::value::{Reader, Value, args};
use super::{SqlStore, pages};
use crate::error::{Result, StoreError};
use crate::pages::{Page, Part};
use crate::rotations::{RotationKey, Rotations, ShownRotation};

/// Reads a rotation with the names of what it points at; see [`shown`].
pub(super) const SELECT: &str = "SELECT r.id, e.project_id, e.id, r.folder_id, r.user_id, r.connection_id, r.name, \
    r.description, r.user_name, r.region, r.automatic, r.interval_days, r.rotate_at_hours, r.rotate_at_minutes, r.policy, \
    r.access_key_id_secret_id, a.name, r.secret_access_key_secret_id, b.name, r.slot_0, r.slot_1, r.active_slot, \
    r.status, r.last_message, r.last_job, r.last_attempted_at, r.last_rotated_at, r.last_manual, r.anchor_at, \
    r.slot_at, r.next_attempt_at, r.failures, r.revoking, r.created_at, r.updated_at, c.name, e.slug, e.name, f.path \
    FROM rotations r JOIN folders f ON f.id = r.folder_id JOIN environments e ON e.id = f.environment_id \
    JOIN connections c ON c.id = r.connection_id JOIN secrets a ON a.id = r.access_key_id_secret_id \
    JOIN secrets b ON b.id = r.secret_access_key_secret_id";

/// The rotations of a project, `$1`. No index has their order, so that all of them are sorted for each page: by their names
/// alone, and what belongs to a rotation is read for those of the page.
pub(super) fn in_project_sql(args: &mut Vec<Value>, page: &Page<RotationKey>) -> String {
    let order = Order::Up(&["r.name", "r.id"]);
    let ids = "SELECT r.id FROM rotations r JOIN folders f ON f.id = r.folder_id \
               JOIN environments e ON e.id = f.environment_id WHERE e.project_id = $1";
    let ids = pages::statement(ids, order, args, page);
    format!("{SELECT} WHERE r.id IN ({ids}) {order}")
}

/// Columns of [`SELECT`] in their order.
pub(super) fn shown(r: &mut Reader) -> Result<ShownRotation> {
    let id = r.id()?;
    let place = Place {
        project: r.id()?,
        environment: r.id()?,
        folder: r.id()?,
    };
    let user = r.id()?;
    let (settings, secrets) = settings(r)?;
    let rotation = Rotation {
        id,
        place,
        user,
        settings,
        secrets,
        slots: slots(r)?,
        status: r.word(RotationStatus::from_name)?,
        last_message: r.opt_text()?,
        last_job: r.opt_id()?,
        last_attempted_at: r.moment()?,
        last_rotated_at: r.moment()?,
        last_manual: r.flag()?,
        anchor_at: r.moment()?,
        slot_at: r.opt_moment()?,
        next_attempt_at: r.opt_moment()?,
        failures: r.small()?,
        revoking: r.flag()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    };
    Ok(ShownRotation {
        rotation,
        connection_name: r.slug()?,
        environment_slug: r.slug()?,
        environment_name: r.text()?,
        path: r.path()?,
    })
}

fn settings(r: &mut Reader) -> Result<(RotationSettings, MappedSecrets)> {
    let connection = r.id()?;
    let name = r.slug()?;
    let description = r.opt_text()?;
    let user_name = IamUserName::from_trusted(r.text()?);
    let region = Region::from_trusted(r.text()?);
    let automatic = r.flag()?;
    let interval = IntervalDays::new(r.int()?).ok_or_else(|| StoreError::corrupt("a rotation interval"))?;
    let (hours, minutes) = (r.real()?, r.real()?);
    let rotate_at = RotateAtUtc::new(hours, minutes).ok_or_else(|| StoreError::corrupt("a time of day"))?;
    let policy = r.opt_json()?.unwrap_or_default();
    let (access_key_id, first): (_, SecretName) = (r.id()?, r.secret_name()?);
    let (secret_access_key, second): (_, SecretName) = (r.id()?, r.secret_name()?);
    let mapping =
        SecretsMapping::new(first, second).ok_or_else(|| StoreError::corrupt("a secrets mapping"))?;
    let settings = RotationSettings {
        name,
        description,
        connection,
        user_name,
        region,
        mapping,
        automatic,
        interval,
        rotate_at,
        policy,
    };
    Ok((
        settings,
        MappedSecrets {
            access_key_id,
            secret_access_key,
        },
    ))
}

fn slots(r: &mut Reader) -> Result<Slots> {
    let first = r.opt_text()?.map(AccessKeyId::from_trusted);
    let second = r.opt_text()?.map(AccessKeyId::from_trusted);
    Ok(Slots {
        keys: [first, second],
        active: SlotIndex::from_stored(r.int()?),
    })
}

#[async_trait]
impl Rotations for SqlStore {
    async fn rotation(&self, id: RotationId) -> Result<Option<ShownRotation>> {
        self.one(&format!("{SELECT} WHERE r.id = $1"), args![id], shown)
            .await
    }

    async fn rotation_by_name(&self, folder: FolderId, name: &Slug) -> Result<Option<ShownRotation>> {
        self.one(
            &format!("{SELECT} WHERE r.folder_id = $1 AND r.name = $2"),
            args![folder, name],
            shown,
        )
        .await
    }

    async fn rotations(
        &self,
        project: ProjectId,
        page: &Page<RotationKey>,
    ) -> Result<Part<ShownRotation, RotationKey>> {
        let mut args = args![project];
        let sql = in_project_sql(&mut args, page);
        Ok(Part::cut(self.all(&sql, args, shown).await?, page.size))
    }
}
