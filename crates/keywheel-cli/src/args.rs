//! Arguments that many commands have.
//!
//! The structs have no doc comments: those would replace what the commands say about themselves.

use clap::Args;

use crate::client::{Client, ServerUrl};
use crate::exit::Outcome;
use crate::login;
use crate::output::{Format, Output};

const OF_ALL: &str = "Options of all commands";

// What every command of this crate takes.
#[derive(Args)]
pub(crate) struct Common {
    /// What the data looks like
    #[arg(long, short, global = true, value_enum, default_value = "table", value_name = "FORMAT", help_heading = OF_ALL)]
    pub(crate) output: Format,
    /// Say nothing but data and failures
    #[arg(long, short, global = true, help_heading = OF_ALL)]
    pub(crate) quiet: bool,
    /// The server [default: the one of the login]
    #[arg(long, global = true, env = "KEYWHEEL_URL", value_name = "URL", help_heading = OF_ALL)]
    pub(crate) url: Option<String>,
    /// Send tokens to other machines over plain http, where everybody on the way can read them
    #[arg(long, global = true, help_heading = OF_ALL)]
    pub(crate) insecure_http: bool,
}

impl Common {
    pub(crate) fn out(&self) -> Output {
        let Self {
            output: format,
            quiet,
            ..
        } = *self;
        Output { format, quiet }
    }

    /// The server that was named.
    pub(crate) fn server(&self) -> Outcome<Option<ServerUrl>> {
        let given = self.url.as_deref().filter(|url| !url.is_empty());
        given
            .map(|url| ServerUrl::parse(url, self.insecure_http))
            .transpose()
    }

    /// A client of the server, as whoever is signed in.
    pub(crate) fn connect(&self) -> Outcome<Client> {
        let (server, session) = login::find(self)?;
        Client::new(server, session)
    }
}

// One project.
#[derive(Args)]
pub(crate) struct InProject {
    /// Name, slug or id of the project [default: the only one there is]
    #[arg(long, short, env = "KEYWHEEL_PROJECT", value_name = "PROJECT")]
    pub(crate) project: Option<String>,
}

// One folder of an environment.
#[derive(Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) project: InProject,
    /// Slug of the environment
    #[arg(long = "env", short, env = "KEYWHEEL_ENVIRONMENT", value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    /// The folder
    #[arg(long, default_value = "/", value_name = "PATH")]
    pub(crate) path: String,
}

// A rotation, and where to look for its name.
#[derive(Args)]
pub(crate) struct RotationArg {
    /// Name or id of the rotation
    #[arg(value_name = "ROTATION")]
    pub(crate) rotation: String,
    #[command(flatten)]
    pub(crate) project: InProject,
    /// Slug of its environment, if several have a rotation of this name
    #[arg(long = "env", short, env = "KEYWHEEL_ENVIRONMENT", value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
}

// For what cannot be taken back.
#[derive(Args)]
pub(crate) struct Sure {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}
