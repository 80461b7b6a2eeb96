//! Rows to start from, with ids that never repeat and a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keywheel_core::aws::{Arn, AwsAccount, IamUserId, IamUserName, Partition, Region};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{
    AccountId, ConnectionId, EnvironmentId, FolderId, IdentityId, ManagedUserId, MembershipId,
    OrganizationId, ProjectId, SecretId, SecretVersionId,
};
use keywheel_core::ledger::{ManagedUser, UserIdentity};
use keywheel_core::names::{SecretName, SecretPath, Slug, Title};
use keywheel_store::accounts::Account;
use keywheel_store::connections::{ConnectionCredentials, ConnectionMethod, NewConnection};
use keywheel_store::environments::NewEnvironment;
use keywheel_store::folders::NewFolder;
use keywheel_store::identities::{AuthMethod, Identity};
use keywheel_store::memberships::{Membership, MembershipRole};
use keywheel_store::projects::Project;
use keywheel_store::sealed::WRAPPING_BYTES;
use keywheel_store::secrets::{Author, NewSecret, NewVersion};
use keywheel_store::setup::{Bootstrap, FirstMachine, Organization};
use keywheel_store::tokens::Token;
use keywheel_store::{Ledgers, Store, StoreError};

pub type Shared = Arc<dyn Store>;
pub type SharedLedgers = Arc<dyn Ledgers>;

/// Random bytes that are none.
pub fn entropy() -> [u8; 10] {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

/// A new id of the given type.
macro_rules! id {
    ($type:ident) => {
        $type::new(crate::world::at(0), &crate::world::entropy())
    };
}
pub(crate) use id;

pub const fn at(millis: i64) -> Moment {
    Moment::from_millis(millis)
}

pub fn slug(text: &str) -> Slug {
    Slug::parse("slug", text).unwrap()
}

pub fn title(text: &str) -> Title {
    Title::parse("name", text).unwrap()
}

pub fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

pub fn path(text: &str) -> SecretPath {
    SecretPath::parse(text).unwrap()
}

/// The conflict that a call was refused with.
pub fn conflict<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> keywheel_store::Conflict {
    match outcome {
        Err(StoreError::Conflict(conflict)) => conflict,
        other => panic!("a conflict was expected: {other:?}"),
    }
}

pub fn identity(organization: OrganizationId, name: &str) -> Identity {
    Identity {
        id: id!(IdentityId),
        organization,
        name: name.to_owned(),
        role: slug("no-access"),
        metadata: Vec::new(),
        delete_protection: false,
        auth_methods: Vec::new(),
        created_at: at(1),
        updated_at: at(1),
    }
}

pub fn bootstrap() -> Bootstrap {
    let organization = Organization {
        id: id!(OrganizationId),
        name: title("Acme"),
        slug: slug("acme"),
        created_at: at(1),
    };
    let identity = Identity {
        role: slug("admin"),
        auth_methods: vec![AuthMethod::TokenAuth],
        ..identity(organization.id, "Instance Admin Identity")
    };
    let person = Identity {
        role: slug("admin"),
        ..self::identity(organization.id, "admin@example.com")
    };
    Bootstrap {
        organization,
        account: Account {
            id: id!(AccountId),
            email: "admin@example.com".to_owned(),
            password_hash: Some("$argon2id$".to_owned()),
            super_admin: true,
            identity: Some(person.id),
            totp: None,
            created_at: at(1),
        },
        person,
        machine: Some(FirstMachine {
            token: Token {
                expires_at: None,
                ..crate::callers::token(identity.id, None)
            },
            identity,
        }),
    }
}

pub fn project(organization: OrganizationId, slug_text: &str) -> Project {
    Project {
        id: id!(ProjectId),
        organization,
        name: title(slug_text),
        slug: slug(slug_text),
        description: None,
        delete_protection: false,
        auto_capitalization: true,
        version_limit: 10,
        audit_retention_days: None,
        created_at: at(1),
        updated_at: at(1),
    }
}

pub fn environment(project: ProjectId, slug_text: &str) -> NewEnvironment {
    NewEnvironment {
        id: id!(EnvironmentId),
        root: id!(FolderId),
        project,
        name: slug_text.to_uppercase(),
        slug: slug(slug_text),
        position: None,
        now: at(1),
    }
}

pub fn membership(project: ProjectId, identity: IdentityId, role: &str) -> Membership {
    Membership {
        id: id!(MembershipId),
        project,
        identity,
        roles: vec![MembershipRole {
            id: id!(MembershipId).as_uuid(),
            role: slug(role),
            temporary: None,
        }],
        created_at: at(1),
        updated_at: at(1),
    }
}

/// The root key that [`sealed`] names.
pub const ROOT_KEY: [u8; 8] = *b"root key";

/// Bytes in the form of sealed ones: a wrapping that names its root key, and a value.
pub fn sealed(value: &str) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(ROOT_KEY);
    bytes.resize(WRAPPING_BYTES, b'w');
    bytes.extend(value.as_bytes());
    bytes
}

pub fn version(value: &str) -> NewVersion {
    NewVersion {
        id: id!(SecretVersionId),
        value: value.as_bytes().to_vec(),
        has_references: value.contains("${"),
        author: Author::Platform,
    }
}

pub fn secret(folder: FolderId, secret_name: &str, value: &str) -> NewSecret {
    NewSecret {
        id: id!(SecretId),
        folder,
        name: name(secret_name),
        version: version(value),
        comment: None,
        metadata: Vec::new(),
        tags: Vec::new(),
        skip_multiline_encoding: None,
        reminder_note: None,
        reminder_days: None,
        now: at(1),
    }
}

pub fn connection(organization: OrganizationId, project: Option<ProjectId>, name: &str) -> NewConnection {
    NewConnection {
        id: id!(ConnectionId),
        organization,
        project,
        name: slug(name),
        description: None,
        method: ConnectionMethod::AccessKey,
        credentials: ConnectionCredentials {
            sealed: sealed("credentials"),
            hash: "00".to_owned(),
            config: r#"{"accessKeyId":"AKIA0"}"#.to_owned(),
        },
        now: at(1),
    }
}

pub fn user(user_id: &str) -> ManagedUser {
    ManagedUser {
        id: id!(ManagedUserId),
        identity: UserIdentity {
            partition: Partition::from_trusted("aws"),
            account: AwsAccount::from_trusted("123456789012"),
            user_id: IamUserId::from_trusted(user_id),
        },
        name: IamUserName::from_trusted("demo-app"),
        arn: Arn::from_trusted("arn:aws:iam::123456789012:user/demo-app"),
        region: Region::default(),
        connection: None,
        rotation: None,
        settles_at: None,
        unfinished: None,
        failures: 0,
        due_at: None,
    }
}

/// A bootstrapped instance with a project, one environment and a connection.
pub struct World {
    pub organization: OrganizationId,
    pub admin: IdentityId,
    pub project: ProjectId,
    pub environment: EnvironmentId,
    pub root: FolderId,
    pub connection: ConnectionId,
}

impl World {
    pub async fn new(store: &Shared) -> Self {
        let first = bootstrap();
        store.bootstrap(&first).await.unwrap();
        let organization = first.organization.id;
        let project = project(organization, "demo-project");
        let environment = environment(project.id, "dev");
        store
            .create_project(&project, std::slice::from_ref(&environment), None)
            .await
            .unwrap();
        let connection = connection(organization, None, "aws-main");
        store.create_connection(&connection).await.unwrap();
        Self {
            organization,
            admin: first.machine.as_ref().unwrap().identity.id,
            project: project.id,
            environment: environment.id,
            root: environment.root,
            connection: connection.id,
        }
    }

    /// The id of a folder that is made with its parents.
    pub async fn folder(&self, store: &Shared, path_text: &str) -> FolderId {
        let ids = path(path_text).segments().map(|_| id!(FolderId)).collect();
        let new = NewFolder {
            environment: self.environment,
            path: path(path_text),
            description: None,
            ids,
            now: at(1),
        };
        store.create_folder(&new).await.unwrap().id
    }
}
