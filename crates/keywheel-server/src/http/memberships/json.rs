//! Bodies and answers of project memberships.

use keywheel_core::clock::Millis;
use keywheel_core::ids::{IdentityId, MembershipId, ProjectId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::{NameFault, Slug, Title};
use keywheel_store::identities::{Page, PageRequest};
use keywheel_store::memberships::{Membership, MembershipRole};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::actions::memberships::{GrantRole, MembershipView, Temporary};
use crate::auth::access::ProjectRole;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Presence, Read, Taken};
use crate::http::identities::AuthMethodsJson;
use crate::http::place;

/// Most roles of one membership: there are four.
const ROLES_MAX: usize = 10;
/// Members in one answer: what is given without asking, and the most (contract).
const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 20_000;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BareMembership)]
pub(in crate::http) struct BareJson {
    #[schema(value_type = uuid::Uuid)]
    id: MembershipId,
    #[schema(value_type = uuid::Uuid)]
    identity_id: IdentityId,
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl From<&Membership> for BareJson {
    fn from(membership: &Membership) -> Self {
        Self {
            id: membership.id,
            identity_id: membership.identity,
            project_id: membership.project,
            created_at: Time(membership.created_at),
            updated_at: Time(membership.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Membership)]
pub(in crate::http) struct MembershipJson {
    #[schema(value_type = uuid::Uuid)]
    id: MembershipId,
    #[schema(value_type = uuid::Uuid)]
    identity_id: IdentityId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    roles: Vec<RoleJson>,
    identity: IdentityBrief,
    project: ProjectBrief,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MemberIdentity)]
struct IdentityBrief {
    #[schema(value_type = uuid::Uuid)]
    id: IdentityId,
    name: String,
    #[schema(value_type = Vec<String>)]
    auth_methods: AuthMethodsJson,
    has_delete_protection: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MemberProject)]
struct ProjectBrief {
    #[schema(value_type = uuid::Uuid)]
    id: ProjectId,
    #[schema(value_type = String)]
    name: Title,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MembershipRole)]
pub(super) struct RoleJson {
    #[schema(value_type = uuid::Uuid)]
    id: Uuid,
    #[schema(value_type = String)]
    role: Slug,
    #[schema(value_type = uuid::Uuid)]
    project_membership_id: MembershipId,
    #[schema(value_type = Option<String>)]
    custom_role_id: (),
    #[schema(value_type = Option<String>)]
    custom_role_name: (),
    #[schema(value_type = Option<String>)]
    custom_role_slug: (),
    is_temporary: bool,
    temporary_mode: Option<&'static str>,
    temporary_range: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    temporary_access_start_time: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    temporary_access_end_time: Option<Time>,
}

impl RoleJson {
    pub(super) fn of(role: &MembershipRole, membership: MembershipId) -> Self {
        let temporary = role.temporary.as_ref();
        Self {
            id: role.id,
            role: role.role.clone(),
            project_membership_id: membership,
            custom_role_id: (),
            custom_role_name: (),
            custom_role_slug: (),
            is_temporary: temporary.is_some(),
            temporary_mode: temporary.map(|_| RELATIVE),
            temporary_range: temporary.map(|t| t.range.clone()),
            temporary_access_start_time: temporary.map(|t| Time(t.starts_at)),
            temporary_access_end_time: temporary.map(|t| Time(t.ends_at())),
        }
    }
}

impl From<MembershipView> for MembershipJson {
    fn from(view: MembershipView) -> Self {
        let MembershipView {
            membership,
            identity,
            project,
        } = view;
        Self {
            id: membership.id,
            identity_id: membership.identity,
            created_at: Time(membership.created_at),
            updated_at: Time(membership.updated_at),
            roles: membership
                .roles
                .iter()
                .map(|role| RoleJson::of(role, membership.id))
                .collect(),
            identity: IdentityBrief {
                id: identity.id,
                auth_methods: identity
                    .auth_methods
                    .iter()
                    .map(|method| method.as_str())
                    .collect(),
                has_delete_protection: identity.delete_protection,
                name: identity.name,
            },
            project: ProjectBrief {
                id: project.id,
                name: project.name,
            },
        }
    }
}

/// `{identityMembership}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InBareMembership {
    identity_membership: BareJson,
}

/// `{identityMembership}`, with its roles and its two ends.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InMembership {
    identity_membership: MembershipJson,
}

/// `{identityMemberships}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnMemberships)]
pub(in crate::http) struct OwnMembershipsJson {
    identity_memberships: Vec<MembershipJson>,
}

/// `{identityMemberships, totalCount}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Memberships)]
pub(super) struct MembershipsJson {
    identity_memberships: Vec<MembershipJson>,
    total_count: i64,
}

/// `{roles}`
#[derive(Serialize, ToSchema)]
#[schema(as = MembershipRoles)]
pub(super) struct RolesJson {
    roles: Vec<RoleJson>,
}

impl From<&Membership> for InBareMembership {
    fn from(membership: &Membership) -> Self {
        Self {
            identity_membership: membership.into(),
        }
    }
}

impl From<MembershipView> for InMembership {
    fn from(view: MembershipView) -> Self {
        Self {
            identity_membership: view.into(),
        }
    }
}

impl From<Vec<MembershipView>> for OwnMembershipsJson {
    fn from(views: Vec<MembershipView>) -> Self {
        Self {
            identity_memberships: views.into_iter().map(MembershipJson::from).collect(),
        }
    }
}

impl From<Page<MembershipView>> for MembershipsJson {
    fn from(page: Page<MembershipView>) -> Self {
        Self {
            total_count: page.total,
            identity_memberships: page.rows.into_iter().map(MembershipJson::from).collect(),
        }
    }
}

impl From<&Membership> for RolesJson {
    fn from(membership: &Membership) -> Self {
        let roles = membership.roles.iter();
        Self {
            roles: roles.map(|role| RoleJson::of(role, membership.id)).collect(),
        }
    }
}

/// The only way in which a role can be temporary: from a start, for a while.
const RELATIVE: &str = "relative";

/// What a create sends: one role or several; without any, no access.
pub(super) fn create(mut fields: Fields<'_>) -> Result<Vec<GrantRole>, ApiError> {
    let role = fields.optional("role", |field| field.one_of(&ProjectRole::WORDS));
    let roles = fields.optional("roles", |field| field.list(0..=ROLES_MAX, granted));
    fields.finish(|| {
        let (role, roles) = (role?, roles?.unwrap_or_default());
        if !roles.is_empty() {
            return Ok(roles);
        }
        Ok(vec![GrantRole {
            role: role.unwrap_or(ProjectRole::NoAccess),
            temporary: None,
        }])
    })
}

/// What an invitation sends. Nothing comes of it.
pub(super) fn invite(mut fields: Fields<'_>) -> Result<(), ApiError> {
    for key in ["emails", "usernames", "roleSlugs"] {
        fields.describe(key, Presence::Nullable, |field| {
            field.list(0..=ROLES_MAX, Field::text)
        });
    }
    fields.finish(|| Ok(()))
}

/// What an update sends: at least one role.
pub(super) fn update(mut fields: Fields<'_>) -> Result<Vec<GrantRole>, ApiError> {
    let roles = fields.required("roles", |field| field.list(1..=ROLES_MAX, granted));
    fields.finish(|| roles)
}

/// Which page of a list.
pub(super) fn page(mut fields: Fields<'_>) -> Result<PageRequest, ApiError> {
    let page = place::page(&mut fields, PAGE_DEFAULT, PAGE_MAX);
    fields.finish(|| page)
}

fn granted(field: Field<'_>) -> Read<GrantRole> {
    field.object(|fields| {
        let role = fields.required("role", |field| field.one_of(&ProjectRole::WORDS));
        // Clients fill the other fields with junk where the role is not temporary.
        let temporary = fields.given_if("isTemporary", temporary);
        Ok(GrantRole {
            role: role?,
            temporary: temporary?,
        })
    })
}

fn temporary(fields: &mut Fields<'_>) -> Taken<Temporary> {
    let mode = fields.required("temporaryMode", |field| field.one_of(&[(RELATIVE, ())]));
    let range = fields.required("temporaryRange", range);
    let starts_at = fields.required("temporaryAccessStartTime", Field::moment);
    mode?;
    let (range, length) = range?;
    Ok(Temporary {
        range,
        length,
        starts_at: starts_at?,
    })
}

/// A length of time as clients write it: `30m`, `1h`, `7d`.
fn range(field: Field<'_>) -> Read<(String, Millis)> {
    const UNITS: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
    let shape = || json!({"type": "string", "pattern": r"^\s*0*[1-9][0-9]{0,8}\s*[smhdw]\s*$"});
    field.parsed_as(shape, |text| {
        let text = text.trim();
        let read = || {
            let unit = text.chars().last()?;
            let (_, secs) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
            let number: u32 = text.strip_suffix(unit)?.trim().parse().ok()?;
            (number > 0).then(|| Millis::from_secs(secs).times(number.into()))
        };
        let length = read().ok_or_else(|| {
            NameFault::new(
                IssueCode::Custom,
                "Temporary range must be a positive time such as 1h",
            )
        })?;
        Ok((text.to_owned(), length))
    })
}
