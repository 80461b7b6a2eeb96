//! Bodies and answers of project memberships.

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IdentityId, MembershipId, ProjectId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::{Slug, Title};
use keywheel_store::identities::PageRequest;
use keywheel_store::memberships::{Membership, MembershipRole};
use serde::Serialize;
use uuid::Uuid;

use crate::actions::memberships::{GrantRole, MembershipView, Temporary};
use crate::auth::access::ProjectRole;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::extract::{Body, Query};
use crate::http::fields::{Field, Fields, Read, Taken, refusal};
use crate::http::identities::AuthMethodsJson;
use crate::http::place;

/// Most roles of one membership: there are four.
const ROLES_MAX: usize = 10;
/// Members in one answer: what is given without asking, and the most (contract).
const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 20_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BareJson {
    id: MembershipId,
    identity_id: IdentityId,
    project_id: ProjectId,
    created_at: Time,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct MembershipJson {
    id: MembershipId,
    identity_id: IdentityId,
    created_at: Time,
    updated_at: Time,
    roles: Vec<RoleJson>,
    identity: IdentityBrief,
    project: ProjectBrief,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityBrief {
    id: IdentityId,
    name: String,
    auth_methods: AuthMethodsJson,
    has_delete_protection: bool,
}

#[derive(Serialize)]
struct ProjectBrief {
    id: ProjectId,
    name: Title,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleJson {
    id: Uuid,
    role: Slug,
    project_membership_id: MembershipId,
    custom_role_id: (),
    custom_role_name: (),
    custom_role_slug: (),
    is_temporary: bool,
    temporary_mode: Option<&'static str>,
    temporary_range: Option<String>,
    temporary_access_start_time: Option<Time>,
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

/// The only way in which a role can be temporary: from a start, for a while.
const RELATIVE: &str = "relative";

/// What a create sends: one role or several; without any, no access.
pub(super) fn create(body: &Body) -> Result<Vec<GrantRole>, ApiError> {
    let mut fields = body.fields();
    let role = fields.optional("role", |field| field.one_of(&ProjectRole::WORDS));
    let roles = fields.optional("roles", |field| field.list(ROLES_MAX, granted));
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

/// What an update sends: at least one role.
pub(super) fn update(body: &Body) -> Result<Vec<GrantRole>, ApiError> {
    let mut fields = body.fields();
    let roles = fields.required("roles", |field| {
        let roles = field.list(ROLES_MAX, granted)?;
        if roles.is_empty() {
            let code = IssueCode::TooSmall {
                minimum: 1,
                r#type: "array",
                inclusive: true,
                exact: false,
            };
            return Err(refusal(code, "Array must contain at least 1 element(s)"));
        }
        Ok(roles)
    });
    fields.finish(|| roles)
}

/// Which page of a list.
pub(super) fn page(query: &Query) -> Result<PageRequest, ApiError> {
    let mut fields = query.fields();
    let page = place::page(&mut fields, PAGE_DEFAULT, PAGE_MAX);
    fields.finish(|| page)
}

fn granted(field: Field<'_>) -> Read<GrantRole> {
    field.object(|fields| {
        let role = fields.required("role", |field| field.one_of(&ProjectRole::WORDS));
        let is_temporary = fields.optional("isTemporary", Field::boolean)?.unwrap_or(false);
        // Clients fill the other fields with junk where the role is not temporary.
        let temporary = if is_temporary {
            Some(temporary(fields)?)
        } else {
            None
        };
        Ok(GrantRole {
            role: role?,
            temporary,
        })
    })
}

fn temporary(fields: &mut Fields<'_>) -> Taken<Temporary> {
    let mode = fields.required("temporaryMode", |field| field.one_of(&[(RELATIVE, ())]));
    let range = fields.required("temporaryRange", range);
    let starts_at = fields.required("temporaryAccessStartTime", |field| {
        let parsed = field.text()?.parse::<Moment>();
        parsed.map_err(|_| {
            refusal(
                IssueCode::InvalidString {
                    validation: "datetime",
                },
                "Invalid datetime",
            )
        })
    });
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
    let text = field.text()?;
    let read = || {
        let unit = text.chars().last()?;
        let (_, secs) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let number: u32 = text
            .strip_suffix(unit)?
            .trim()
            .parse()
            .ok()
            .filter(|number| *number > 0)?;
        Some(Millis::from_secs(secs).times(number.into()))
    };
    let length = read();
    let length = length.ok_or_else(|| {
        refusal(
            IssueCode::Custom,
            "Temporary range must be a positive time such as 1h",
        )
    })?;
    Ok((text, length))
}
