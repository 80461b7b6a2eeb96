//! The wires that the suite runs against: how each is started, seeded and ended.

use std::io::{BufRead, BufReader, Write, stderr};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::config::{Credentials, Region as SdkRegion, SharedHttpClient};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use keywheel_core::aws::{AccessKeyId, Arn, IamUserName, Region};
use keywheel_providers::connection::{AccessKey, ConnectionCredentials};
use keywheel_providers::{AwsIam, Endpoints, Options};
use keywheel_sandbox::Sandbox;
use keywheel_sandbox::model::PolicyDocument;
use secrecy::{ExposeSecret, SecretString};

/// What is probed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Keywheel's own, in this process.
    Sandbox,
    /// moto as it starts: it believes every signature.
    Moto,
    /// moto after its checks were switched on.
    MotoWithAuth,
    /// ministack with `AUTH=true`.
    Ministack,
}

/// Longest wait until a program says that it listens; Python on a loaded machine takes a while.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Starts of a program before giving up: its port is found first and may be taken by then.
const START_TRIES: u32 = 3;

/// The session name of the tests.
pub(crate) const SESSION: &str = "keywheel-00000000-0000-7000-8000-000000000000";

/// A wire that is up, with a key that may do everything.
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) admin: AccessKey,
    pub(crate) region: Region,
    /// One pool without TLS for all raw clients.
    http: SharedHttpClient,
    made: AtomicU32,
    running: Running,
}

enum Running {
    InProcess(Sandbox),
    Apart { _program: Program },
}

impl Target {
    /// Starts it, or says why not and gives `None` if the caller of the tests left it out by name.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        let target = match kind {
            Kind::Sandbox => {
                let sandbox = Sandbox::start(keywheel_sandbox::Options::default())
                    .await
                    .unwrap();
                let root = sandbox.root_key();
                let admin = key(root.access_key_id, root.secret_access_key);
                Self::at(kind, sandbox.url(), admin, Running::InProcess(sandbox))
            }
            Kind::Moto | Kind::MotoWithAuth => {
                let (program, url) = Program::moto()?;
                Self::at(
                    kind,
                    url,
                    key("AKIAANY", "any"),
                    Running::Apart { _program: program },
                )
            }
            Kind::Ministack => {
                let (program, url) = Program::ministack()?;
                Self::at(
                    kind,
                    url,
                    key("test", "test"),
                    Running::Apart { _program: program },
                )
            }
        };
        Some(match kind {
            Kind::MotoWithAuth => target.with_checks().await,
            _ => target,
        })
    }

    fn at(kind: Kind, url: String, admin: AccessKey, running: Running) -> Self {
        Self {
            kind,
            url,
            admin,
            region: Region::default(),
            http: aws_smithy_http_client::Builder::new().build_http(),
            made: AtomicU32::new(0),
            running,
        }
    }

    /// Makes an administrator while moto still believes everyone, then switches its checks on.
    async fn with_checks(mut self) -> Self {
        let name = self.user().await;
        self.policy(
            &name,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
        )
        .await;
        self.admin = self.key_of(&name).await;
        let switch = format!("{}/moto-api/reset-auth", self.url);
        let answer = reqwest::Client::new()
            .post(switch)
            .body("0")
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "moto did not switch its checks on");
        self
    }

    /// The sandbox behind it.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        match &self.running {
            Running::InProcess(sandbox) => sandbox,
            Running::Apart { .. } => panic!("{:?} is not the sandbox", self.kind),
        }
    }

    /// The provider of this crate, pointed at the target.
    pub(crate) fn provider(&self) -> AwsIam {
        self.provider_with(self.admin.clone())
    }

    /// The same with this key as Keywheel's own.
    pub(crate) fn provider_with(&self, own_key: AccessKey) -> AwsIam {
        AwsIam::new(Options {
            endpoints: Endpoints {
                iam: Some(self.url.clone()),
                sts: Some(self.url.clone()),
            },
            own_key: Some(own_key),
            ..Options::default()
        })
    }

    /// A connection with the key of the administrator.
    pub(crate) fn connection(&self) -> ConnectionCredentials {
        ConnectionCredentials::AccessKey(self.admin.clone())
    }

    /// IAM as it is, signed with a key.
    pub(crate) fn iam(&self, key: &AccessKey) -> aws_sdk_iam::Client {
        self.iam_in(key, self.region.as_str())
    }

    /// IAM as it is, in another region.
    pub(crate) fn iam_in(&self, key: &AccessKey, region: &str) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .region(SdkRegion::new(region.to_owned()))
            .endpoint_url(&self.url)
            .credentials_provider(credentials(key));
        aws_sdk_iam::Client::from_conf(config.build())
    }

    /// STS as it is, signed with a key.
    pub(crate) fn sts(&self, key: &AccessKey) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .region(SdkRegion::new(self.region.as_str().to_owned()))
            .endpoint_url(&self.url)
            .credentials_provider(credentials(key));
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// IAM as it is, signed by the administrator.
    pub(crate) fn root(&self) -> aws_sdk_iam::Client {
        self.iam(&self.admin)
    }

    /// A name that was not used on this target.
    pub(crate) fn fresh_name(&self, what: &str) -> String {
        format!("{what}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a user.
    pub(crate) async fn user(&self) -> IamUserName {
        let name = self.fresh_name("user");
        self.root().create_user().user_name(&name).send().await.unwrap();
        IamUserName::from_trusted(name)
    }

    /// Makes a key of a user.
    pub(crate) async fn key_of(&self, user: &IamUserName) -> AccessKey {
        let made = self
            .root()
            .create_access_key()
            .user_name(user.as_str())
            .send()
            .await;
        let made = made.unwrap().access_key.unwrap();
        key(&made.access_key_id, &made.secret_access_key)
    }

    /// Gives a user its only policy.
    pub(crate) async fn policy(&self, user: &IamUserName, document: &str) {
        if let Running::InProcess(sandbox) = &self.running {
            let document: PolicyDocument = serde_json::from_str(document).unwrap();
            sandbox
                .with_world(|world, _| world.account.set_user_policy(user.as_str(), Some(document)))
                .unwrap();
            return;
        }
        let asked = self.root().put_user_policy().user_name(user.as_str());
        let asked = asked.policy_name("only").policy_document(document);
        asked.send().await.unwrap();
    }

    /// Makes a role that `principal` may assume, if it knows the external id, and gives its ARN.
    pub(crate) async fn role(&self, principal: &str, external_id: &str) -> String {
        let name = self.fresh_name("role");
        if let Running::InProcess(sandbox) = &self.running {
            let may = Some(PolicyDocument::allow_all());
            let id = Some(external_id.to_owned());
            return sandbox.with_world(|world, _| world.account.put_role(&name, principal, id, may));
        }
        let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
        }]});
        let root = self.root();
        let asked = root.create_role().role_name(&name);
        let role = asked.assume_role_policy_document(trust.to_string()).send().await;
        role.unwrap().role.unwrap().arn
    }

    /// The account that everything here is in.
    pub(crate) async fn account(&self) -> String {
        let user = self.user().await;
        let user = self.root().get_user().user_name(user.as_str()).send().await;
        let arn = Arn::from_trusted(user.unwrap().user.unwrap().arn);
        arn.account().unwrap().as_str().to_owned()
    }
}

/// What AWS said: `ok`, or its code with the HTTP status.
pub(crate) fn told<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> String {
    let Err(error) = result else {
        return "ok".to_owned();
    };
    let raw = error.raw_response();
    let status = raw.map_or(0, |raw| raw.status().as_u16());
    if let Some(code) = error.code() {
        return format!("{code} {status}");
    }
    let body = raw.and_then(|raw| raw.body().bytes()).unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    let code = body
        .split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split("</Code>").next());
    format!("{} {status}, unread by the SDK", code.unwrap_or("?"))
}

/// A key from its halves.
pub(crate) fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        access_key_id: AccessKeyId::from_trusted(id),
        secret_access_key: SecretString::from(secret),
    }
}

fn credentials(key: &AccessKey) -> Credentials {
    let secret = key.secret_access_key.expose_secret();
    Credentials::new(key.access_key_id.as_str(), secret, None, None, "tests")
}

/// An emulator in a process of its own; ends with this value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn moto() -> Option<(Self, String)> {
        let program = located("moto", "KEYWHEEL_MOTO_SERVER")?;
        Some(Self::on_a_free_port(|port| {
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", port]);
            command
        }))
    }

    fn ministack() -> Option<(Self, String)> {
        let program = located("ministack", "KEYWHEEL_MINISTACK")?;
        Some(Self::on_a_free_port(|port| {
            let mut command = Command::new(&program);
            command
                .env("BIND_HOST", "127.0.0.1")
                .env("AUTH", "true")
                .env("GATEWAY_PORT", port)
                // It leaves files in the temporary folder.
                .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
            command
        }))
    }

    fn on_a_free_port(command: impl Fn(&str) -> Command) -> (Self, String) {
        for _ in 0..START_TRIES {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            if let Some(program) = Self::listening(command(&free.port().to_string())) {
                return (program, format!("http://{free}"));
            }
        }
        panic!("the emulator did not start: {:?}", command("PORT"));
    }

    /// Starts it and waits until it says that it listens; `None` if it ended or fell silent.
    fn listening(mut command: Command) -> Option<Self> {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let words = BufReader::new(child.stderr.take().unwrap());
        let program = Self(child);
        let (up, is_up) = mpsc::channel();
        // Reads on to the end, so that the program never waits for room to write.
        std::thread::spawn(move || {
            for line in words.lines().map_while(Result::ok) {
                if line.contains("Running on") {
                    let _ = up.send(());
                }
            }
        });
        is_up.recv_timeout(START_LIMIT).ok().map(|()| program)
    }
}

/// The path of a program, or `None` if the caller of the tests left it out by name.
fn located(name: &str, variable: &str) -> Option<String> {
    let without = std::env::var("KEYWHEEL_TEST_WITHOUT").unwrap_or_default();
    if without.split(',').any(|left_out| left_out.trim() == name) {
        // Past the capture of the test runner, which would hide it.
        let _ = writeln!(stderr(), "skipped: {name} (left out by KEYWHEEL_TEST_WITHOUT)");
        return None;
    }
    let path = std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set. Run `./test`, which installs {name}; or set {variable} to the path of its \
             program; or leave it out by name with KEYWHEEL_TEST_WITHOUT={name}"
        )
    });
    Some(path)
}
