//! `keywheel rotations`.

mod act;
mod change;
mod create;
mod keys;
mod policy;
mod preview;
mod show;

use clap::Subcommand;

use crate::args::{Common, InProject, RotationArg, Sure};
use crate::exit::Outcome;

#[derive(Subcommand)]
pub(crate) enum Rotations {
    /// Lists the rotations of a project, or of all your projects
    #[command(after_help = "Examples:
  keywheel rotations list\n  keywheel rotations list --project web-shop --output json")]
    List {
        #[command(flatten)]
        project: InProject,
    },
    /// Shows a rotation
    #[command(after_help = "Example:\n  keywheel rotations get web-shop-key")]
    Get(RotationArg),
    Create(create::Create),
    Update(change::Update),
    /// Makes a new access key now, and shows how
    #[command(after_help = "Example:\n  keywheel rotations rotate web-shop-key")]
    Rotate(RotationArg),
    Preview(preview::Preview),
    /// Lists the runs of a rotation, latest first
    #[command(after_help = "Examples:
  keywheel rotations history web-shop-key
  keywheel rotations history web-shop-key --steps --limit 1")]
    History {
        #[command(flatten)]
        rotation: RotationArg,
        /// How many runs
        #[arg(long, short = 'n', default_value = "20", value_parser = clap::value_parser!(u8).range(1..=100))]
        limit: u8,
        /// Show the steps of each
        #[arg(long)]
        steps: bool,
    },
    /// Lists the access keys of a rotation's IAM user, and what happens to each next
    #[command(after_help = "Examples:
  keywheel rotations keys web-shop-key
  keywheel rotations keys web-shop-key --ask-aws")]
    Keys {
        #[command(flatten)]
        rotation: RotationArg,
        /// Ask AWS who used each key last, in place of what runs were told
        #[arg(long)]
        ask_aws: bool,
    },
    /// Publishes the previous access key again
    #[command(after_help = "Examples:
  keywheel rotations rollback web-shop-key
  keywheel rotations rollback web-shop-key --key AKIAIOSFODNN7EXAMPLE --yes")]
    Rollback {
        #[command(flatten)]
        key: keys::KeyArg,
        #[command(flatten)]
        sure: Sure,
    },
    /// Switches automatic rotation off
    #[command(after_help = "Example:\n  keywheel rotations pause web-shop-key")]
    Pause(RotationArg),
    /// Switches automatic rotation on
    #[command(after_help = "Example:\n  keywheel rotations resume web-shop-key")]
    Resume(RotationArg),
    /// Deactivates and deletes the previous access key now
    #[command(after_help = "Example:\n  keywheel rotations retire web-shop-key --yes")]
    Retire {
        #[command(flatten)]
        key: keys::KeyArg,
        #[command(flatten)]
        sure: Sure,
    },
    /// Keeps the previous access key as it is until it is released
    #[command(
        after_help = "Example:\n  keywheel rotations hold web-shop-key --reason \"the mailer still uses it\""
    )]
    Hold {
        #[command(flatten)]
        key: keys::KeyArg,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Lets a held access key be retired again
    #[command(after_help = "Example:\n  keywheel rotations release web-shop-key")]
    Release(keys::KeyArg),
    Delete(change::Delete),
}

impl Rotations {
    pub(super) async fn run(self, common: &Common) -> Outcome {
        let client = common.connect()?;
        let out = common.out();
        match self {
            Self::List { project } => show::list(&project, &client, out).await,
            Self::Get(wanted) => show::get(&wanted, &client, out).await,
            Self::Create(wanted) => create::run(wanted, &client, out).await,
            Self::Update(wanted) => change::update(wanted, &client, out).await,
            Self::Rotate(wanted) => act::rotate(&wanted, &client, out).await,
            Self::Preview(wanted) => preview::run(&wanted, &client, out).await,
            Self::History {
                rotation,
                limit,
                steps,
            } => show::history(&rotation, limit, steps, &client, out).await,
            Self::Keys { rotation, ask_aws } => keys::list(&rotation, ask_aws, &client, out).await,
            Self::Rollback { key, sure } => act::roll_back(&key, &sure, &client, out).await,
            Self::Pause(wanted) => change::set_automatic(&wanted, false, &client, out).await,
            Self::Resume(wanted) => change::set_automatic(&wanted, true, &client, out).await,
            Self::Retire { key, sure } => act::retire(&key, &sure, &client, out).await,
            Self::Hold { key, reason } => act::hold(&key, reason.as_deref(), &client, out).await,
            Self::Release(key) => act::release(&key, &client, out).await,
            Self::Delete(wanted) => change::delete(wanted, &client, out).await,
        }
    }
}
