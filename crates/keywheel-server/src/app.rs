//! Every part of a running server, built once. Handlers, actions and the engine share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdEntropy, TokenId};
use keywheel_envelope::Keyring;
use keywheel_providers::IamUsers;
use keywheel_store::{Store, tokens};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::actions::secrets::{ListTags, SecretCache};
use crate::ambient::{Clock, Entropy};
use crate::audit::{Audit, AuditParts};
use crate::auth::caller::RoleCache;
use crate::auth::failures::LoginFailures;
use crate::auth::links;
use crate::auth::password::Passwords;
use crate::auth::token::TokenSigner;
use crate::cache::Cache;
use crate::config::Settings;
use crate::engine::{Engine, EngineParts};
use crate::http::errors::ApiError;
use crate::observe::metrics::Metrics;
use crate::observe::scrape::LastLook;
use crate::vault::Vault;
use crate::webhooks::mailer::Mailer;
use crate::webhooks::{Deliverer, DelivererParts};

/// The name in leases of a process that has its database alone.
const ONLY_NODE: &str = "single";

/// What a server is made of.
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// The root keys.
    pub keyring: Arc<Keyring>,
    /// AWS.
    pub provider: Arc<dyn IamUsers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What was set.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub metrics: Metrics,
}

/// A handle to all of it; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    vault: Vault,
    signer: OnceCell<TokenSigner>,
    callers: Cache<TokenId, Arc<tokens::Caller>>,
    roles: RoleCache,
    secrets: SecretCache,
    list_tags: ListTags,
    login_failures: LoginFailures,
    passwords: Passwords,
    audit: Audit,
    engine: Engine,
    deliverer: Deliverer,
    last_look: LastLook,
    is_stopping: AtomicBool,
}

impl App {
    /// Puts the parts together.
    pub fn assemble(parts: Parts) -> anyhow::Result<Self> {
        let vault = Vault::new(Arc::clone(&parts.keyring));
        // A process that has the database alone takes over what one before it left, by its name. Where others
        // may write too, a name that nobody has used leaves their leases alone.
        let alone = parts.store.revision().is_some();
        let node = if alone {
            ONLY_NODE.to_owned()
        } else {
            let name = &parts.settings.node_name;
            format!("{name}-{}", hex::encode(parts.entropy.bytes::<4>()))
        };
        let audit = Audit::new(AuditParts {
            store: Arc::clone(&parts.store),
            vault: vault.clone(),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
        });
        let engine = Engine::new(EngineParts {
            store: Arc::clone(&parts.store),
            provider: Arc::clone(&parts.provider),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
            vault: vault.clone(),
            audit: audit.clone(),
            timings: parts.settings.timings,
            runs_max: parts.settings.rotations_max,
            calls_per_second: parts.settings.aws_calls_per_second,
            metrics: parts.metrics.clone(),
            node,
        });
        let deliverer = Deliverer::new(DelivererParts {
            store: Arc::clone(&parts.store),
            vault: vault.clone(),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
            mailer: parts.settings.smtp.as_ref().map(Mailer::new).transpose()?,
            audit: audit.clone(),
            allow_internal: parts.settings.webhooks_allow_internal,
            metrics: parts.metrics.clone(),
        });
        let (callers, roles) = (Cache::new(), Cache::new());
        let (secrets, list_tags) = (Cache::new(), Cache::new());
        Ok(Self(Arc::new(Inner {
            parts,
            vault,
            signer: OnceCell::new(),
            callers,
            roles,
            secrets,
            list_tags,
            login_failures: LoginFailures::default(),
            passwords: Passwords::default(),
            audit,
            engine,
            deliverer,
            last_look: LastLook::default(),
            is_stopping: AtomicBool::new(false),
        })))
    }

    /// Durable state.
    pub fn store(&self) -> &dyn Store {
        self.0.parts.store.as_ref()
    }

    /// AWS.
    pub fn provider(&self) -> &dyn IamUsers {
        self.0.parts.provider.as_ref()
    }

    /// Time.
    pub fn clock(&self) -> &dyn Clock {
        self.0.parts.clock.as_ref()
    }

    /// Randomness.
    pub fn entropy(&self) -> &dyn Entropy {
        self.0.parts.entropy.as_ref()
    }

    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    /// Seals and opens.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Signs and reads access tokens. Its key is found at the start, and again by nobody.
    pub(crate) async fn signer(&self) -> Result<&TokenSigner, ApiError> {
        let make = || TokenSigner::of_instance(self.store(), self.vault(), self.entropy());
        self.0.signer.get_or_try_init(make).await
    }

    /// The token of a new link to set the instance up.
    pub async fn setup_token(&self) -> Result<SecretString, ApiError> {
        let expires_at = self.now() + links::SETUP_LASTS;
        Ok(links::setup_token(self.signer().await?, expires_at))
    }

    /// Bearers of tokens.
    pub(crate) fn callers(&self) -> &Cache<TokenId, Arc<tokens::Caller>> {
        &self.0.callers
    }

    /// Roles of identities in projects.
    pub(crate) fn roles(&self) -> &RoleCache {
        &self.0.roles
    }

    /// Sealed secrets by where they are.
    pub(crate) fn secrets(&self) -> &SecretCache {
        &self.0.secrets
    }

    /// Failed logins.
    pub(crate) fn login_failures(&self) -> &LoginFailures {
        &self.0.login_failures
    }

    /// Hashes passwords.
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// The entity tags of lists of secrets.
    pub(crate) fn list_tags(&self) -> &ListTags {
        &self.0.list_tags
    }

    /// The audit log.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// What rotates.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What tells webhooks.
    pub fn deliverer(&self) -> &Deliverer {
        &self.0.deliverer
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.parts.metrics
    }

    /// When the database was last asked for what Prometheus reads.
    pub(crate) fn last_look(&self) -> &LastLook {
        &self.0.last_look
    }

    /// Takes up no more work by itself, and is not ready from now on.
    pub fn begin_to_stop(&self) {
        self.0.is_stopping.store(true, Ordering::Release);
        self.engine().stop_schedule();
    }

    /// Whether the server is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Acquire)
    }

    /// The time of day.
    pub fn now(&self) -> Moment {
        self.clock().now()
    }

    /// A new id of any kind: `app.new_id(ProjectId::new)`.
    pub fn new_id<T>(&self, make: impl FnOnce(Moment, &IdEntropy) -> T) -> T {
        make(self.now(), &self.entropy().bytes())
    }
}
