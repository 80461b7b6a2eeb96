//! What has to be asked for: the running server, and AWS's clock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use keywheel_core::aws::{AccessKeyId, Region};
use keywheel_core::clock::Moment;
use keywheel_providers::{AwsIam, Endpoints, IamUsers};
use secrecy::SecretString;

use super::findings::Findings;
use crate::ambient::{Clock, SystemClock};
use crate::config::Settings;
use crate::start::{OWN_KEY_VARIABLES, aws_options, other_aws};

/// A key that AWS has given to nobody: it answers with a refusal, and that has the date.
const NOBODYS_KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

/// AWS, as the server with these settings reaches it.
pub(super) fn aws(settings: &Settings) -> AwsIam {
    AwsIam::new(aws_options(settings, Endpoints::default()))
}

/// Whether the server runs, and takes requests.
pub(super) async fn server(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "server";
    let url = format!("http://{}/readyz", reachable(settings.listen));
    match keywheel_cli::probe(&url).await {
        Ok(200) => findings.ok(CHECK, format!("ready at {}", settings.listen)),
        Ok(status) => findings.fail(
            CHECK,
            format!("answers {status} to /readyz at {}", settings.listen),
            "see its log: it is stopping, or has no database",
        ),
        Err(_) => findings.warn(
            CHECK,
            format!("none answers at {}", settings.listen),
            "start it, or name its address with --listen",
        ),
    }
}

/// Who listens everywhere is asked on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(all) if all.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(all) if all.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Whether AWS can be reached, and its clock and ours are the same: it refuses requests that are five minutes off.
pub(super) async fn clock(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let (id, secret) = NOBODYS_KEY;
    let (id, secret) = (
        AccessKeyId::from_trusted(id.to_owned()),
        SecretString::from(secret.to_owned()),
    );
    let answer = aws(settings).verify(&Region::default(), &id, &secret).await;
    let now = SystemClock::start().now();
    let (date, message) = match answer {
        Ok(known) => (known.aws_date, String::new()),
        Err(failure) => (failure.aws_date, failure.to_string()),
    };
    match date {
        None => findings.fail(
            "AWS",
            format!("STS cannot be reached: {message}"),
            "check the way out: DNS, proxy, firewall; a server that was started with AWS_ENDPOINT_URL wants doctor to have it too",
        ),
        Some(date) => {
            let asked = other_aws().map_or_else(String::new, |url| format!(" at {url} (AWS_ENDPOINT_URL)"));
            findings.ok("AWS", format!("STS answers{asked}"));
            let (off, allowed) = (
                seconds_apart(now, date),
                settings.timings.clock_skew_max.get() / 1_000,
            );
            if off > allowed {
                let message = format!("{off} s away from AWS's, more than clock_skew_max ({allowed} s)");
                findings.fail(CHECK, message, "let NTP or chrony keep this machine's time");
            } else {
                findings.ok(CHECK, format!("{off} s away from AWS's"));
            }
        }
    }
}

fn seconds_apart(one: Moment, other: Moment) -> i64 {
    (one.as_millis() - other.as_millis()).abs() / 1_000
}

/// Keywheel's own key is two variables, or none.
pub(super) fn own_credentials(findings: &mut Findings) {
    const CHECK: &str = "own AWS credentials";
    let is_set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    match OWN_KEY_VARIABLES.iter().filter(|name| is_set(name)).count() {
        0 => findings.ok(
            CHECK,
            "no key in Keywheel's own variables; roles are assumed with what the AWS SDK finds (environment, profile, instance role)",
        ),
        1 => findings.fail(
            CHECK,
            "one of two variables is set, so neither counts",
            format!("set both: {}", OWN_KEY_VARIABLES.join(", ")),
        ),
        _ => findings.ok(CHECK, "given by variables"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080"), "[::1]:8080");
        assert_eq!(asked("10.0.0.7:80"), "10.0.0.7:80");
    }

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let at = Moment::from_millis;
        assert_eq!(seconds_apart(at(100_000), at(42_000)), 58);
        assert_eq!(seconds_apart(at(42_000), at(100_000)), 58);
    }
}
