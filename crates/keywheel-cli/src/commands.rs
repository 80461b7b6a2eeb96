//! The commands, one file per group.

pub(crate) mod audit;
pub(crate) mod completion;
mod connections;
mod environments;
mod folders;
pub(crate) mod identities;
mod projects;
mod rotations;
mod run;
mod secrets;
mod sign_in;
mod status;
mod webhooks;

use std::process::ExitCode;

use clap::Subcommand;

use crate::args::Common;
use crate::exit::Outcome;

/// All of them.
#[derive(Subcommand)]
pub(crate) enum Commands {
    Login(sign_in::Login),
    Logout(sign_in::Logout),
    Whoami(sign_in::Whoami),
    Status(status::Status),
    /// Rotations of access keys
    #[command(subcommand, arg_required_else_help = true)]
    Rotations(rotations::Rotations),
    /// App connections: how Keywheel reaches AWS accounts
    #[command(subcommand, arg_required_else_help = true)]
    Connections(connections::Connections),
    /// Secrets of a folder
    #[command(subcommand, arg_required_else_help = true)]
    Secrets(secrets::Secrets),
    /// Projects
    #[command(subcommand, arg_required_else_help = true)]
    Projects(projects::Projects),
    /// Environments of a project
    #[command(subcommand, arg_required_else_help = true)]
    Environments(environments::Environments),
    /// Folders of an environment
    #[command(subcommand, arg_required_else_help = true)]
    Folders(folders::Folders),
    /// Machine identities, and what they may do
    #[command(subcommand, arg_required_else_help = true)]
    Identities(identities::Identities),
    /// Webhooks of a project
    #[command(subcommand, arg_required_else_help = true)]
    Webhooks(webhooks::Webhooks),
    Run(run::Run),
    Completion(completion::Completion),
    /// Part of a group that operators share.
    #[command(skip)]
    OfAudit(audit::Audit),
}

impl Commands {
    pub(crate) fn of_audit(audit: audit::Audit) -> Self {
        Self::OfAudit(audit)
    }

    /// Does what was asked for.
    pub(crate) async fn run(self, common: &Common) -> Outcome<ExitCode> {
        match self {
            Self::Login(login) => sign_in::login(login, common).await?,
            Self::Logout(_) => sign_in::logout(common).await?,
            Self::Whoami(_) => sign_in::whoami(common).await?,
            Self::Status(_) => status::run(common).await?,
            Self::Rotations(rotations) => rotations.run(common).await?,
            Self::Connections(connections) => connections.run(common).await?,
            Self::Secrets(secrets) => secrets.run(common).await?,
            Self::Projects(projects) => projects.run(common).await?,
            Self::Environments(environments) => environments.run(common).await?,
            Self::Folders(folders) => folders.run(common).await?,
            Self::Identities(identities) => identities.run(common).await?,
            Self::Webhooks(webhooks) => webhooks.run(common).await?,
            Self::OfAudit(audit) => audit.run(common).await?,
            // Made of the whole command line, which is not known here.
            Self::Completion(_) => {}
            Self::Run(run) => return run::run(run, common).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
