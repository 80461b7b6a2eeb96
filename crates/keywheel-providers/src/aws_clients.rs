//! SDK clients for one call: who signs, which endpoint, how long, how often.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_sdk_iam::config::{AppName, Credentials, IdentityCache, Region as SdkRegion};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use keywheel_core::aws::{AccessKeyId, AwsFailure, DEFAULT_REGION, Observed, Region};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::Instrument;

use crate::aws_date::AnswerDate;
use crate::aws_outcome::{Effect, failure, incomplete, unavailable};
use crate::connection::{AccessKey, ConnectionCredentials, Role};
use crate::observer::{CallObserver, CallResult, Called};

/// Where AWS is and how long it may take.
#[derive(Clone, Debug)]
pub struct Options {
    /// Longest time of one operation, all of its parts together.
    pub call_timeout: Duration,
    /// Other endpoints than those of the region. They win over `AWS_ENDPOINT_URL` and its kin.
    pub endpoints: Endpoints,
    /// Keywheel's own key for assuming roles. Without it the standard chain of the SDK is asked: environment,
    /// profile, web identity, container, instance role.
    pub own_key: Option<AccessKey>,
    /// Who is told of each call.
    pub observer: Option<Arc<dyn CallObserver>>,
}

/// Endpoints that replace those of the region, such as `http://127.0.0.1:4566`.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// For IAM.
    pub iam: Option<String>,
    /// For STS.
    pub sts: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(10),
            endpoints: Endpoints::default(),
            own_key: None,
            observer: None,
        }
    }
}

/// Longest wait for a connection. The same for all calls: the SDK keeps one pool for each value.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Idle connections are dropped before the peer does it: a request on a dying connection ends with an unknown
/// outcome, and the recovery from that takes minutes. AWS keeps idle connections for longer than this.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts of an operation that only reads; all within the call timeout.
const READ_ATTEMPTS: u32 = 3;

/// Least time that a call may start with. A changing call cut off sooner would end as "unknown" for nothing.
const TIME_LEFT_MIN: Duration = Duration::from_millis(100);

/// Life of the credentials of an assumed role: the shortest that AWS gives, and longer than any operation.
const ROLE_SECONDS: i32 = 900;

/// One operation of a provider: what it may leave behind, until when it must end, and AWS's clock.
pub(crate) struct Call<'a> {
    effect: Effect,
    region: &'a Region,
    session: &'a str,
    attempts: u32,
    deadline: Instant,
    date: AnswerDate,
    observer: Option<Arc<dyn CallObserver>>,
}

impl<'a> Call<'a> {
    /// An operation that only looks; it may be repeated until the deadline.
    pub(crate) fn reading(region: &'a Region, session: &'a str, limit: Duration) -> Self {
        Self {
            effect: Effect::Reads,
            region,
            session,
            attempts: READ_ATTEMPTS,
            deadline: Instant::now() + limit,
            date: AnswerDate::default(),
            observer: None,
        }
    }

    /// The same, with somebody who is told of it.
    pub(crate) fn observed_by(self, observer: Option<&Arc<dyn CallObserver>>) -> Self {
        Self {
            observer: observer.cloned(),
            ..self
        }
    }

    /// An operation that changes something: one attempt.
    pub(crate) fn changing(region: &'a Region, session: &'a str, limit: Duration) -> Self {
        Self {
            effect: Effect::Changes,
            attempts: 1,
            ..Self::reading(region, session, limit)
        }
    }

    /// The same with one attempt.
    pub(crate) fn once(self) -> Self {
        Self { attempts: 1, ..self }
    }

    /// Sends a call: what the SDK answered, or what its failure means. One line of the log tells of it, with the id that
    /// AWS's support asks for.
    pub(crate) async fn sent<T: RequestId, E: ProvideErrorMetadata>(
        &self,
        operation: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsFailure> {
        let span = tracing::info_span!("aws_call", operation);
        let began = Instant::now();
        let sent = sending.instrument(span.clone()).await;
        let took = began.elapsed();
        let _inside = span.enter();
        let asked = match &sent {
            Ok(answer) => answer.request_id(),
            Err(error) => error.request_id(),
        };
        let aws_request_id = asked.map(str::to_owned);
        let outcome = self.outcome(sent);
        let failure = outcome.as_ref().err();
        let result = failure.map_or(CallResult::Success, CallResult::of_failure);
        let code = failure.and_then(|failure| failure.code.as_deref());
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(result = result.as_str(), code, aws_request_id, ms, "called AWS");
        if let Some(observer) = &self.observer {
            observer.called(&Called {
                operation,
                result,
                took,
            });
        }
        outcome
    }

    fn outcome<T, E: ProvideErrorMetadata>(
        &self,
        sent: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, AwsFailure> {
        sent.map_err(|error| AwsFailure {
            aws_date: self.date.get(),
            ..failure(self.effect, &error)
        })
    }

    /// A field without which the answer is none.
    pub(crate) fn field<T>(&self, field: Option<T>, name: &str) -> Result<T, AwsFailure> {
        field.ok_or_else(|| incomplete(self.effect, name))
    }

    /// The end of the operation: its value with AWS's clock.
    pub(crate) fn observed<T>(&self, value: T) -> Observed<T> {
        Observed {
            value,
            aws_date: self.date.get(),
        }
    }

    fn time_left(&self) -> Result<Duration, AwsFailure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < TIME_LEFT_MIN {
            return Err(unavailable("AWS took too long with what comes before this call"));
        }
        Ok(left)
    }

    fn timeouts(&self) -> Result<TimeoutConfig, AwsFailure> {
        let left = self.time_left()?;
        Ok(TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_timeout(left)
            .build())
    }

    fn retries(&self) -> RetryConfig {
        match self.attempts {
            0 | 1 => RetryConfig::disabled(),
            attempts => RetryConfig::standard().with_max_attempts(attempts),
        }
    }

    fn app_name(&self) -> Option<AppName> {
        AppName::new(self.session.to_owned()).ok()
    }
}

/// The SDK's pool without what it does for each new client: it reads and parses the root certificates again, which takes
/// longer than the call. They are read at the first call.
#[derive(Debug)]
struct Pool(SharedHttpClient);

impl HttpClient for Pool {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

/// Makes clients. Building it does nothing; what the SDK reads from the environment is read at the first call.
#[derive(Debug)]
pub(crate) struct Clients {
    options: Options,
    shared: OnceCell<SdkConfig>,
}

impl Clients {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            shared: OnceCell::new(),
        }
    }

    pub(crate) fn observer(&self) -> Option<&Arc<dyn CallObserver>> {
        self.options.observer.as_ref()
    }

    pub(crate) fn call_timeout(&self) -> Duration {
        self.options.call_timeout
    }

    /// The credentials that sign for a connection. Those of a role are fetched anew for each operation: the
    /// session name is that of the intent, and an operation is rare next to the cost of a stale credential.
    pub(crate) async fn signer(
        &self,
        call: &Call<'_>,
        connection: &ConnectionCredentials,
    ) -> Result<Credentials, AwsFailure> {
        match connection {
            ConnectionCredentials::AccessKey(key) => {
                Ok(static_key(&key.access_key_id, &key.secret_access_key))
            }
            ConnectionCredentials::AssumeRole(role) => {
                self.assume(call, role, role.external_id.as_deref()).await
            }
        }
    }

    /// The credentials of a role. Failing here leaves nothing behind, whatever the operation is.
    pub(crate) async fn assume(
        &self,
        call: &Call<'_>,
        role: &Role,
        external_id: Option<&str>,
    ) -> Result<Credentials, AwsFailure> {
        let call = Call {
            effect: Effect::Reads,
            attempts: READ_ATTEMPTS,
            date: call.date.clone(),
            observer: call.observer.clone(),
            ..*call
        };
        let sts = self.own_sts(&call, role.sts_endpoint.as_deref()).await?;
        let sent = sts
            .assume_role()
            .role_arn(role.role_arn.as_str())
            .role_session_name(call.session)
            .set_external_id(external_id.map(str::to_owned))
            .duration_seconds(ROLE_SECONDS)
            .send();
        let assumed = call.sent("AssumeRole", sent).await?;
        let assumed = call.field(assumed.credentials, "credentials for the role")?;
        Ok(Credentials::new(
            assumed.access_key_id,
            assumed.secret_access_key,
            Some(assumed.session_token),
            None,
            "keywheel-assume-role",
        ))
    }

    /// An IAM client that signs with these credentials until the end of the call.
    pub(crate) async fn iam(
        &self,
        call: &Call<'_>,
        signer: Credentials,
    ) -> Result<aws_sdk_iam::Client, AwsFailure> {
        let shared = self.shared().await;
        let mut config = aws_sdk_iam::config::Builder::from(shared)
            .region(SdkRegion::new(call.region.as_str().to_owned()))
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(signer)
            .retry_config(call.retries())
            .timeout_config(call.timeouts()?)
            .interceptor(call.date.clone());
        config.set_app_name(call.app_name());
        if let Some(endpoint) = &self.options.endpoints.iam {
            config = config.endpoint_url(endpoint);
        }
        Ok(aws_sdk_iam::Client::from_conf(config.build()))
    }

    /// An STS client at the region of the call that signs with these credentials.
    pub(crate) async fn sts(
        &self,
        call: &Call<'_>,
        signer: Credentials,
    ) -> Result<aws_sdk_sts::Client, AwsFailure> {
        let config = self
            .sts_config(call, self.shared().await)?
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(signer);
        Ok(aws_sdk_sts::Client::from_conf(config.build()))
    }

    /// An STS client that signs as Keywheel itself, perhaps at another endpoint than that of the region.
    pub(crate) async fn own_sts(
        &self,
        call: &Call<'_>,
        endpoint: Option<&str>,
    ) -> Result<aws_sdk_sts::Client, AwsFailure> {
        let mut config = self.sts_config(call, self.shared().await)?;
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        if let Some(key) = &self.options.own_key {
            config = config
                .identity_cache(IdentityCache::no_cache())
                .credentials_provider(static_key(&key.access_key_id, &key.secret_access_key));
        }
        Ok(aws_sdk_sts::Client::from_conf(config.build()))
    }

    /// STS without a word on who signs: the chain of the SDK.
    fn sts_config(
        &self,
        call: &Call<'_>,
        shared: &SdkConfig,
    ) -> Result<aws_sdk_sts::config::Builder, AwsFailure> {
        let mut config = aws_sdk_sts::config::Builder::from(shared)
            .region(SdkRegion::new(call.region.as_str().to_owned()))
            .retry_config(call.retries())
            .timeout_config(call.timeouts()?)
            .interceptor(call.date.clone());
        config.set_app_name(call.app_name());
        if let Some(endpoint) = &self.options.endpoints.sts {
            config = config.endpoint_url(endpoint);
        }
        Ok(config)
    }

    /// What all calls share: the connection pool, and what the SDK reads from environment and profile.
    async fn shared(&self) -> &SdkConfig {
        self.shared
            .get_or_init(|| async {
                let pool = aws_smithy_http_client::Builder::new()
                    .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                    .pool_idle_timeout(POOL_IDLE_TIMEOUT)
                    .build_https();
                // A region is named so that the SDK does not ask the instance it runs on for one.
                aws_config::defaults(BehaviorVersion::latest())
                    .region(SdkRegion::new(DEFAULT_REGION))
                    .http_client(Pool(pool))
                    .load()
                    .await
            })
            .await
    }
}

/// Credentials from a pair that is known.
pub(crate) fn static_key(id: &AccessKeyId, secret: &SecretString) -> Credentials {
    Credentials::new(id.as_str(), secret.expose_secret(), None, None, "keywheel")
}
