//! What a rotation does while it does it: its steps with times, as they happen.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{Output, items, printable, tell, text};
use crate::resolve::ROTATIONS;
use crate::time;

/// Between two looks at how far a run is.
const LOOK_EACH: Duration = Duration::from_secs(2);
/// Between two pictures of what turns on a terminal.
const TURN_EACH: Duration = Duration::from_millis(120);

/// Shows the steps of the run that a request starts, until the request is answered.
pub(crate) async fn follow(
    client: &Client,
    rotation: &str,
    out: Output,
    request: impl Future<Output = Outcome<Value>>,
) -> Outcome<Value> {
    if out.quiet {
        return request.await;
    }
    // Who does not know the run of before would show its steps as those of this one.
    let Some(mut steps) = Steps::before(client, rotation).await else {
        return request.await;
    };
    let mut request = std::pin::pin!(request);
    let mut looks = tokio::time::interval(LOOK_EACH);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    let answer = loop {
        tokio::select! {
            answer = &mut request => break answer,
            _ = looks.tick() => steps.look().await,
        }
    };
    steps.look().await;
    steps.end();
    answer
}

/// The steps of one run, of which some have been shown.
struct Steps<'a> {
    client: &'a Client,
    rotation: &'a str,
    /// The run that was the latest before ours.
    before: Option<String>,
    shown: usize,
    wheel: Option<ProgressBar>,
}

impl<'a> Steps<'a> {
    /// None if the runs cannot be looked at, which is no reason to fail: the answer of the request says how it went.
    async fn before(client: &'a Client, rotation: &'a str) -> Option<Self> {
        let runs = latest(client, rotation).await?;
        Some(Self {
            client,
            rotation,
            before: items(&runs, "runs").next().map(|run| text(run, "/id")),
            shown: 0,
            wheel: std::io::stderr().is_terminal().then(wheel),
        })
    }

    /// Shows what is new.
    async fn look(&mut self) {
        let runs = latest(self.client, self.rotation).await.unwrap_or_default();
        let Some(run) = items(&runs, "runs").next() else {
            return;
        };
        if self.before.as_deref() == run["id"].as_str() {
            return;
        }
        let lines = step_lines(run);
        for line in lines.iter().skip(self.shown) {
            match &self.wheel {
                Some(wheel) => wheel.println(line),
                None => tell(line),
            }
        }
        self.shown = self.shown.max(lines.len());
    }

    fn end(&self) {
        if let Some(wheel) = &self.wheel {
            wheel.finish_and_clear();
        }
    }
}

/// The latest run, if there is one, as the API lists it.
async fn latest(client: &Client, rotation: &str) -> Option<Value> {
    let path = format!("{ROTATIONS}/{rotation}/runs");
    client.get(&path, &[("limit", "1")]).await.ok()
}

fn wheel() -> ProgressBar {
    let wheel = ProgressBar::new_spinner().with_message("rotating");
    wheel.set_style(ProgressStyle::default_spinner().tick_chars("|/-\\ "));
    wheel.enable_steady_tick(TURN_EACH);
    wheel
}

/// The steps that have ended: when after the start of the run, what, about which key, how long, and what went wrong.
pub(crate) fn step_lines(run: &Value) -> Vec<String> {
    let start = moment(&run["startedAt"]);
    let has_ended = |step: &&Value| step["durationMs"].is_i64();
    let line = |step: &Value| {
        let begun = moment(&step["startedAt"]).zip(start);
        let offset = begun.map_or(0, |(begun, start)| {
            begun.as_millisecond() - start.as_millisecond()
        });
        let took = time::took(step["durationMs"].as_i64().unwrap_or_default());
        let times = match step["times"].as_i64() {
            Some(times @ 2..) => format!(", {times} times"),
            _ => String::new(),
        };
        let error = text(step, "/error");
        let error = if error.is_empty() {
            error
        } else {
            format!(": {error}")
        };
        let (name, key) = (text(step, "/step"), text(step, "/accessKeyId"));
        let line = format!(
            "{:>8}  {name:<10}  {key:<20}  {took}{times}{error}",
            time::took(offset)
        );
        printable(&line)
    };
    items(run, "steps").filter(has_ended).map(line).collect()
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::scripted::Scripted;
    use crate::login::Session;
    use crate::output::Format;

    /// How often the server was asked for runs while a rotation was followed.
    async fn looks(answers: &[(&str, &str)]) -> usize {
        let scripted = Scripted::start(answers).await;
        let client = Client::new(scripted.server.clone(), Session::of_token("token")).unwrap();
        let out = Output {
            format: Format::Table,
            quiet: false,
        };
        let request = async { Ok(json!({"done": true})) };
        let answer = follow(&client, "id", out, request).await.unwrap();
        assert_eq!(answer, json!({"done": true}));
        scripted.asked().len()
    }

    #[tokio::test]
    async fn without_a_look_before_the_steps_of_an_earlier_run_are_not_shown_as_this_ones() {
        let before = ("200 OK", r#"{"runs": [{"id": "1"}]}"#);
        assert_eq!(looks(&[("500 Oh", "{}"), before]).await, 1);
        assert_eq!(looks(&[before, before]).await, 2, "else it is looked again");
    }

    #[test]
    fn steps_are_told_with_their_times() {
        let run = json!({"startedAt": "2026-11-21T10:00:00.000Z", "steps": [
            {"step": "create", "accessKeyId": "AKIA", "startedAt": "2026-11-21T10:00:01.500Z", "durationMs": 12,
             "times": 1, "error": null},
            {"step": "verify", "accessKeyId": null, "startedAt": "2026-11-21T10:00:02.000Z", "durationMs": 2000,
             "times": 3, "error": "AccessDenied"},
            {"step": "wait", "accessKeyId": null, "startedAt": "2026-11-21T10:00:04.000Z", "durationMs": null,
             "times": 1, "error": null}]});
        let lines = step_lines(&run);
        assert_eq!(lines.len(), 2, "a step that goes on is not told yet");
        assert_eq!(lines[0], "   1.5 s  create      AKIA                  12 ms");
        assert!(lines[1].ends_with("2.0 s, 3 times: AccessDenied"), "{}", lines[1]);
    }
}
