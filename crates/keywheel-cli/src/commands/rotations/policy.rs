//! What a rotation does with displaced access keys, as options of commands.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::commands::projects::set;
use crate::output::text;

// What becomes of displaced access keys.
#[derive(Args)]
pub(super) struct PolicyArgs {
    /// When a displaced access key is retired
    #[arg(long, value_enum)]
    retirement: Option<Retirement>,
    /// With retirement grace: how long a displaced access key works
    #[arg(long, value_name = "HOURS")]
    grace_hours: Option<u32>,
    /// With retirement grace: how long it is inactive then, before it is deleted
    #[arg(long, value_name = "HOURS")]
    quarantine_hours: Option<u32>,
    /// What is done about a displaced access key that is still used
    #[arg(long, value_enum)]
    when_still_used: Option<WhenStillUsed>,
    /// With when-still-used hold: how long at most
    #[arg(long, value_name = "HOURS")]
    hold_hours: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Retirement {
    /// Together with the next rotation
    NextRotation,
    /// Some hours after it was displaced
    Grace,
}

#[derive(Clone, Copy, ValueEnum)]
enum WhenStillUsed {
    /// Tell, and retire it
    Warn,
    /// Hold it back
    Hold,
}

impl PolicyArgs {
    /// The fields of a policy that were given; none if there are none.
    pub(super) fn body(&self) -> Option<Value> {
        let mode = self.retirement.map(|retirement| match retirement {
            Retirement::NextRotation => "next-rotation",
            Retirement::Grace => "grace",
        });
        let mut retirement = json!({});
        set(&mut retirement, "mode", mode);
        set(&mut retirement, "graceHours", self.grace_hours);
        set(&mut retirement, "quarantineHours", self.quarantine_hours);
        let action = self.when_still_used.map(|action| match action {
            WhenStillUsed::Warn => "warn",
            WhenStillUsed::Hold => "hold",
        });
        let mut when_still_used = json!({});
        set(&mut when_still_used, "action", action);
        set(&mut when_still_used, "hoursMax", self.hold_hours);
        let mut policy = json!({});
        for (name, part) in [("retirement", retirement), ("whenStillUsed", when_still_used)] {
            set(&mut policy, name, (part != json!({})).then_some(part));
        }
        (policy != json!({})).then_some(policy)
    }
}

/// A policy of the API, in a sentence.
pub(super) fn sentence(policy: &Value) -> String {
    let retirement = if policy["retirement"]["mode"] == "grace" {
        format!(
            "works for {} h, inactive for {} h, then deleted",
            text(policy, "/retirement/graceHours"),
            text(policy, "/retirement/quarantineHours")
        )
    } else {
        "works until the next rotation".to_owned()
    };
    if policy["whenStillUsed"]["action"] == "hold" {
        let hours = text(policy, "/whenStillUsed/hoursMax");
        format!("{retirement}; kept while it is used, for {hours} h at most")
    } else {
        retirement
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        policy: PolicyArgs,
    }

    fn body(arguments: &[&str]) -> Option<Value> {
        let all = ["command"].iter().chain(arguments);
        Command::try_parse_from(all).unwrap().policy.body()
    }

    #[test]
    fn only_what_was_given_is_asked_for() {
        assert_eq!(body(&[]), None);
        assert_eq!(
            body(&["--grace-hours", "6"]),
            Some(json!({"retirement": {"graceHours": 6}}))
        );
        let all = body(&[
            "--retirement",
            "grace",
            "--when-still-used",
            "hold",
            "--hold-hours",
            "48",
        ]);
        let wanted =
            json!({"retirement": {"mode": "grace"}, "whenStillUsed": {"action": "hold", "hoursMax": 48}});
        assert_eq!(all, Some(wanted));
    }

    #[test]
    fn a_policy_is_told_in_a_sentence() {
        let next = json!({"retirement": {"mode": "next-rotation"}, "whenStillUsed": {"action": "hold", "hoursMax": 48}});
        assert_eq!(
            sentence(&next),
            "works until the next rotation; kept while it is used, for 48 h at most"
        );
        let grace = json!({"retirement": {"mode": "grace", "graceHours": 6, "quarantineHours": 2}, "whenStillUsed": {"action": "warn"}});
        assert_eq!(sentence(&grace), "works for 6 h, inactive for 2 h, then deleted");
    }
}
