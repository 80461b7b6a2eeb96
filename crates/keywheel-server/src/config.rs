//! From the four places where a setting can be given to checked values.
//!
//! `config.default.toml` names every setting, holds its default and explains it; it is compiled in and is
//! also where the flags and variables get their names. All that is wrong is reported at once, with the
//! place, the value and what was expected.

mod layers;
mod reader;
pub mod smtp;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use keywheel_core::clock::Millis;
use keywheel_core::timings::Timings;
use keywheel_store::TrustedIp;
use secrecy::SecretString;

use self::layers::Layers;
pub use self::layers::{CONFIG_VARIABLE, DEFAULTS, Setting, Source, Sources, settings_in_default_file};
use self::reader::{Read, Reader};
use self::smtp::SmtpSettings;

/// Everything that can be set. Made by [`Settings::from_sources`] only.
#[derive(Debug)]
pub struct Settings {
    /// Address of the HTTP API.
    pub listen: SocketAddr,
    /// Address where Prometheus looks; none for that of the API.
    pub metrics_listen: Option<SocketAddr>,
    /// Folder for what Keywheel stores itself.
    pub data_dir: PathBuf,
    /// Where the database is. May hold a password.
    pub database_url: SecretString,
    /// The name of this node, for people.
    pub node_name: String,
    /// Where the root keys come from.
    pub root_keys: RootKeys,
    /// What is logged, and how.
    pub log: LogSettings,
    /// A collector of OpenTelemetry that is sent spans; none without.
    pub otel_endpoint: Option<String>,
    /// Waits and margins of the rotation engine.
    pub timings: Timings,
    /// Whether timings below the floors were allowed.
    pub unsafe_timings: bool,
    /// Rotations that may run at the same time.
    pub rotations_max: u32,
    /// Calls per second to one AWS account.
    pub aws_calls_per_second: u32,
    /// Longest life of an access token.
    pub token_ttl_max: Millis,
    /// Longest life of a session of a person.
    pub session_ttl_max: Millis,
    /// How long a session lasts that nobody uses.
    pub session_idle_max: Millis,
    /// Failed logins that one address may have in a minute; 0 is without limit.
    pub login_failures_per_minute: u32,
    /// How long entries of the audit log are kept; none keeps them for ever.
    pub audit_retention: Option<Millis>,
    /// Whether webhooks may be told on this machine and in its network.
    pub webhooks_allow_internal: bool,
    /// How mails are sent; none are without it.
    pub smtp: Option<SmtpSettings>,
    /// Limits of the HTTP front.
    pub http: HttpSettings,
    /// What is allowed but unwise; for the log.
    pub warnings: Vec<String>,
}

/// Where the root keys come from.
#[derive(Debug)]
pub struct RootKeys {
    /// The one that seals.
    pub current: RootKeySource,
    /// Files with further ones, which only open.
    pub more: Vec<PathBuf>,
}

impl From<RootKeySource> for RootKeys {
    fn from(current: RootKeySource) -> Self {
        let more = Vec::new();
        Self { current, more }
    }
}

/// Where the root key that seals comes from.
#[derive(Debug)]
pub enum RootKeySource {
    /// Given as a setting.
    Given(SecretString),
    /// Read from this file, which has to exist.
    File(PathBuf),
    /// Read from this file, which is made at the first start.
    Made(PathBuf),
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A level or a filter in the language of `tracing-subscriber`.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Limits of the HTTP front.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<TrustedIp>,
    /// Connections open at the same time.
    pub connections_max: u32,
    /// Largest request body in bytes.
    pub body_bytes_max: u32,
    /// Time for request line and headers.
    pub header_timeout: Millis,
    /// Time for a request's body.
    pub body_timeout: Millis,
    /// How long a connection may be open without a request.
    pub idle_timeout: Millis,
    /// Time for one request.
    pub request_timeout: Millis,
    /// How long requests are still taken at shutdown.
    pub drain_delay: Millis,
    /// Time for running requests at shutdown, after that.
    pub drain_timeout: Millis,
}

/// Every wrong setting of one start.
#[derive(Debug, thiserror::Error)]
pub struct WrongSettings(Vec<String>);

impl fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong settings:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl Settings {
    /// Checks what the sources say. Pure: what they hold is gathered by the caller.
    pub fn from_sources(sources: &Sources) -> Result<Self, WrongSettings> {
        let layers = Layers::stack(sources);
        let mut reader = Reader::new(&layers);
        let settings = Self::read(&mut reader);
        match (settings, reader.outcome()) {
            (Ok(settings), Ok(warnings)) => Ok(Self { warnings, ..settings }),
            (_, Err(faults)) => Err(WrongSettings(faults)),
            (Err(_), Ok(_)) => Err(WrongSettings(vec![
                "a setting was refused without a reason".to_owned(),
            ])),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let listen = reader.parsed("listen", "an address and a port such as 127.0.0.1:8080");
        let metrics_listen = reader.checked(
            "metrics_listen",
            "nothing, or an address and a port such as 127.0.0.1:9090",
            |text| {
                if text.is_empty() {
                    Some(None)
                } else {
                    text.parse().ok().map(Some)
                }
            },
        );
        let data_dir = reader.path("data_dir");
        let log = LogSettings::read(reader);
        let unsafe_timings = reader.switch("unsafe_timings");
        let timings = read_timings(reader, unsafe_timings == Ok(true));
        let rotations_max = reader.count("rotations_max", 1..=1_000);
        // No account of AWS takes as many; whatever stands in for AWS in a trial may.
        let aws_calls_per_second = reader.count("aws_calls_per_second", 1..=10_000);
        let token_ttl_max = reader.length("token_ttl_max", 60_000..=365 * 86_400_000);
        let session_ttl_max = reader.length("session_ttl_max", 300_000..=30 * 86_400_000);
        // Below two minutes it would end in use: that a session is used is noted once a minute.
        let session_idle_max = reader.length("session_idle_max", 120_000..=30 * 86_400_000);
        let login_failures_per_minute = reader.count("login_failures_per_minute", 0..=1_000_000);
        let audit_retention_days = reader.count("audit_retention_days", 0..=36_500);
        let webhooks_allow_internal = reader.switch("webhooks_allow_internal");
        let smtp = smtp::read(reader);
        let http = HttpSettings::read(reader);
        let node_name = reader.checked("node_name", "1 to 64 letters, digits, dots and dashes", |text| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            ((1..=64).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
        });
        let otel_endpoint = reader.optional("otel_endpoint");
        let database_url = reader.optional("database_url");
        let root_key = reader.optional("root_key");
        let root_key_file = reader.optional("root_key_file");
        let more_root_keys = reader.list("more_root_key_files", "a comma list of files", |path| {
            Some(path.into())
        });

        let data_dir = data_dir?;
        let root_key = match (root_key, root_key_file) {
            (Some(key), None) => RootKeySource::Given(key.into()),
            (None, Some(file)) => RootKeySource::File(file.into()),
            (None, None) => RootKeySource::Made(data_dir.join("root.key")),
            (Some(_), Some(_)) => {
                return Err(reader.refuse("root_key_file", "nothing here, as root_key is given too"));
            }
        };
        let database_url = database_url
            .unwrap_or_else(|| format!("sqlite://{}", data_dir.join("keywheel.db").display()))
            .into();
        Ok(Self {
            listen: listen?,
            metrics_listen: metrics_listen?,
            data_dir,
            database_url,
            node_name: node_name?,
            root_keys: RootKeys {
                current: root_key,
                more: more_root_keys?,
            },
            log: log?,
            otel_endpoint,
            timings,
            unsafe_timings: unsafe_timings?,
            rotations_max: rotations_max?,
            aws_calls_per_second: aws_calls_per_second?,
            token_ttl_max: token_ttl_max?,
            session_ttl_max: session_ttl_max?,
            session_idle_max: session_idle_max?,
            login_failures_per_minute: login_failures_per_minute?,
            audit_retention: Some(audit_retention_days?)
                .filter(|days| *days > 0)
                .map(|days| Millis::DAY.times(days.into())),
            webhooks_allow_internal: webhooks_allow_internal?,
            smtp: smtp?,
            http: http?,
            warnings: Vec::new(),
        })
    }
}

impl LogSettings {
    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let filter = reader.checked(
            "log_level",
            "error, warn, info, debug, trace or a filter",
            |text| {
                text.parse::<tracing_subscriber::filter::EnvFilter>()
                    .is_ok()
                    .then(|| text.to_owned())
            },
        );
        let format = reader.checked("log_format", "text or json", |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        Ok(Self {
            filter: filter?,
            format: format?,
        })
    }
}

/// Reads the timings of the engine. What is faulty is noted, and its default stands in, so that the floors of
/// the others are checked all the same.
fn read_timings(reader: &mut Reader<'_>, unsafe_timings: bool) -> Timings {
    let standard = Timings::DEFAULT;
    let mut length =
        |key, most_secs: i64, default| reader.length(key, 1..=most_secs * 1_000).unwrap_or(default);
    let timings = Timings {
        call_timeout: length("call_timeout", 30, standard.call_timeout),
        lease: length("lease", 3_600, standard.lease),
        late_landing: length("late_landing", 3_600, standard.late_landing),
        clock_skew_max: length("clock_skew_max", 60, standard.clock_skew_max),
        list_gap: length("list_gap", 60, standard.list_gap),
        verify_spacing: length("verify_spacing", 60, standard.verify_spacing),
        verify_settle: length("verify_settle", 60, standard.verify_settle),
        verify_deadline: length("verify_deadline", 600, standard.verify_deadline),
        retry_first: length("retry_first", 60, standard.retry_first),
        retry_cap: length("retry_cap", 86_400, standard.retry_cap),
        pending_max: length("pending_max", 7 * 86_400, standard.pending_max),
        last_used_quiet: length("last_used_quiet", 30 * 86_400, standard.last_used_quiet),
        suspect_quiet: length("suspect_quiet", 30 * 86_400, standard.suspect_quiet),
        day_length: length("day_length", 86_400, standard.day_length),
        verify_successes: reader
            .count("verify_successes", 1..=100)
            .unwrap_or(standard.verify_successes),
        signature_tries: reader
            .count("signature_tries", 1..=5)
            .unwrap_or(standard.signature_tries),
    };
    let floors = timings.below_floors();
    if unsafe_timings {
        reader.warn(
            "unsafe_timings is on: the floors that protect live keys do not hold; for trying out and tests only",
        );
    } else {
        for fault in floors {
            reader.refuse(
                fault.setting,
                &format!("{}; lower only with unsafe_timings = true", fault.expected),
            );
        }
    }
    timings
}

impl HttpSettings {
    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let trusted_proxies = reader.list(
            "trusted_proxies",
            "a comma list of addresses or blocks such as 10.0.0.0/8",
            |text| text.parse().ok(),
        );
        let connections_max = reader.count("connections_max", 1..=1_000_000);
        let body_bytes_max = reader.count("body_bytes_max", 1_024..=64 * 1_024 * 1_024);
        let header_timeout = reader.length("header_timeout", 100..=300_000);
        let body_timeout = reader.length("body_timeout", 100..=3_600_000);
        let idle_timeout = reader.length("idle_timeout", 100..=3_600_000);
        let request_timeout = reader.length("request_timeout", 1_000..=3_600_000);
        let drain_delay = reader.length("drain_delay", 0..=600_000);
        let drain_timeout = reader.length("drain_timeout", 1..=600_000);
        Ok(Self {
            trusted_proxies: trusted_proxies?,
            connections_max: connections_max?,
            body_bytes_max: body_bytes_max?,
            header_timeout: header_timeout?,
            body_timeout: body_timeout?,
            idle_timeout: idle_timeout?,
            request_timeout: request_timeout?,
            drain_delay: drain_delay?,
            drain_timeout: drain_timeout?,
        })
    }
}

#[cfg(test)]
mod tests;
