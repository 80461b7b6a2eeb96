//! Bodies and answers of identities.

use keywheel_core::ids::{IdentityId, OrganizationId};
use keywheel_core::names::{Slug, Title};
use keywheel_store::identities::{Identity, IdentityMetadata, Page, PageRequest};
use keywheel_store::setup::Organization;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::identities::{CreateIdentity, KeyAndValue, UpdateIdentity};
use crate::auth::access::OrganizationRole;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Read};
use crate::http::paging::GivenPage;
use crate::http::place;

/// Longest name, key or value, in characters. The contract has no bound.
const TEXT_CHARS_MAX: i64 = 255;
/// Most keys and values at one identity.
const METADATA_MAX: usize = 50;
/// Lines of a list: what is given without asking, and the most (contract).
const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 100;

#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(in crate::http) struct OrganizationJson {
    #[schema(value_type = uuid::Uuid)]
    id: OrganizationId,
    #[schema(value_type = String)]
    name: Title,
    #[schema(value_type = String)]
    slug: Slug,
}

/// `{identityDetails: {organization}}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IdentityDetails)]
pub(in crate::http) struct DetailsJson {
    identity_details: DetailsPart,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OwnDetails)]
struct DetailsPart {
    organization: OrganizationJson,
}

/// A free key and value.
#[derive(ToSchema)]
#[schema(as = IdentityMetadata)]
#[expect(dead_code, reason = "the shape of `IdentityMetadata`")]
struct MetadataPart {
    id: uuid::Uuid,
    key: String,
    value: String,
}

impl From<Organization> for DetailsJson {
    fn from(organization: Organization) -> Self {
        let organization = organization.into();
        Self {
            identity_details: DetailsPart { organization },
        }
    }
}

impl From<Organization> for OrganizationJson {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            name: organization.name,
            slug: organization.slug,
        }
    }
}

/// The words of the auth methods that an identity has.
pub(in crate::http) type AuthMethodsJson = Vec<&'static str>;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InIdentity {
    pub(super) identity: IdentityJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Identity)]
pub(in crate::http) struct IdentityJson {
    #[schema(value_type = uuid::Uuid)]
    id: IdentityId,
    name: String,
    auth_method: Option<&'static str>,
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
    #[schema(value_type = Option<String>)]
    project_id: (),
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    has_delete_protection: bool,
    #[schema(value_type = Vec<String>)]
    auth_methods: AuthMethodsJson,
    #[schema(value_type = Vec<MetadataPart>)]
    metadata: Vec<IdentityMetadata>,
}

fn words(identity: &Identity) -> AuthMethodsJson {
    identity
        .auth_methods
        .iter()
        .map(|method| method.as_str())
        .collect()
}

impl From<Identity> for IdentityJson {
    fn from(identity: Identity) -> Self {
        let auth_methods = words(&identity);
        Self {
            id: identity.id,
            name: identity.name,
            auth_method: auth_methods.first().copied(),
            org_id: identity.organization,
            project_id: (),
            created_at: Time(identity.created_at),
            updated_at: Time(identity.updated_at),
            has_delete_protection: identity.delete_protection,
            auth_methods,
            metadata: identity.metadata,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = InDetailedIdentity)]
pub(in crate::http) struct InDetailed {
    pub(super) identity: DetailedJson,
}

/// An identity and its place in the organization, nested as clients decode it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DetailedIdentity)]
pub(in crate::http) struct DetailedJson {
    #[schema(value_type = uuid::Uuid)]
    id: IdentityId,
    #[schema(value_type = String)]
    role: Slug,
    #[schema(value_type = Option<String>)]
    role_id: (),
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
    #[schema(value_type = uuid::Uuid)]
    identity_id: IdentityId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = Vec<MetadataPart>)]
    metadata: Vec<IdentityMetadata>,
    #[schema(value_type = Option<String>)]
    custom_role: (),
    identity: InnerJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IdentityInOrganization)]
struct InnerJson {
    #[schema(value_type = uuid::Uuid)]
    id: IdentityId,
    name: String,
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
    has_delete_protection: bool,
    #[schema(value_type = Vec<String>)]
    auth_methods: AuthMethodsJson,
    active_lockout_auth_methods: Vec<&'static str>,
}

impl DetailedJson {
    /// The same of an identity whose login is locked.
    pub(super) fn locked(mut self) -> Self {
        self.identity.active_lockout_auth_methods.push("universal-auth");
        self
    }
}

impl From<Identity> for DetailedJson {
    fn from(identity: Identity) -> Self {
        let auth_methods = words(&identity);
        Self {
            id: identity.id,
            role: identity.role,
            role_id: (),
            org_id: identity.organization,
            identity_id: identity.id,
            created_at: Time(identity.created_at),
            updated_at: Time(identity.updated_at),
            metadata: identity.metadata,
            custom_role: (),
            identity: InnerJson {
                id: identity.id,
                name: identity.name,
                org_id: identity.organization,
                has_delete_protection: identity.delete_protection,
                auth_methods,
                active_lockout_auth_methods: Vec::new(),
            },
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Identities)]
pub(in crate::http) struct ListJson {
    identities: Vec<DetailedJson>,
    total_count: i64,
}

impl From<Page<Identity>> for ListJson {
    fn from(page: Page<Identity>) -> Self {
        Self {
            identities: page.rows.into_iter().map(DetailedJson::from).collect(),
            total_count: page.total,
        }
    }
}

/// What a create sends. The organization is the caller's; another one cannot be named.
pub(super) fn create(mut fields: Fields<'_>) -> Result<CreateIdentity, ApiError> {
    let name = fields.required("name", |field| field.text_within(1..=TEXT_CHARS_MAX));
    let role = fields.optional("role", |field| field.one_of(&OrganizationRole::WORDS));
    let metadata = fields.optional("metadata", metadata);
    let delete_protection = fields.optional("hasDeleteProtection", Field::boolean);
    fields.finish(|| {
        Ok(CreateIdentity {
            name: name?,
            role: role?.unwrap_or(OrganizationRole::NoAccess),
            metadata: metadata?.unwrap_or_default(),
            delete_protection: delete_protection?.unwrap_or(false),
        })
    })
}

/// What an update sends.
pub(super) fn update(mut fields: Fields<'_>) -> Result<UpdateIdentity, ApiError> {
    let name = fields.optional("name", |field| field.text_within(1..=TEXT_CHARS_MAX));
    let role = fields.optional("role", |field| field.one_of(&OrganizationRole::WORDS));
    let metadata = fields.optional("metadata", metadata);
    let delete_protection = fields.optional("hasDeleteProtection", Field::boolean);
    fields.finish(|| {
        Ok(UpdateIdentity {
            name: name?,
            role: role?,
            metadata: metadata?,
            delete_protection: delete_protection?,
        })
    })
}

/// What a list asks for: a part of the name, and which page.
pub(super) fn search(mut fields: Fields<'_>) -> Result<(String, PageRequest), ApiError> {
    let search = fields.optional("search", |field| field.text_within(0..=TEXT_CHARS_MAX));
    let page = place::page(&mut fields, PAGE_DEFAULT, PAGE_MAX);
    fields.finish(|| Ok((search?.unwrap_or_default(), page?)))
}

fn metadata(field: Field<'_>) -> Read<Vec<KeyAndValue>> {
    field.list(0..=METADATA_MAX, |field| {
        field.object(|entry| {
            let key = entry.required("key", |field| field.text_within(1..=TEXT_CHARS_MAX));
            let value = entry.required("value", |field| field.text_within(1..=TEXT_CHARS_MAX));
            Ok((key?, value?))
        })
    })
}

/// Which page of a list.
pub(super) fn memberships(mut fields: Fields<'_>) -> Result<GivenPage, ApiError> {
    let page = GivenPage::read(&mut fields);
    fields.finish(|| page)
}
