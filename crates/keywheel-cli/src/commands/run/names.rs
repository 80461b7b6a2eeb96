//! Names of variables that make a program run other programs, or read other code than its own.
//!
//! Whoever may write secrets could run anything on the machine of whoever runs a command with them, so that these are
//! passed on only to who names them. The list cannot be complete: every program has variables of its own.

use clap::Args;

// What is passed on, as far as names decide.
#[derive(Args, Default)]
pub(super) struct Choice {
    /// Pass on only the secrets that are named so; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) only: Vec<String>,
    /// Pass on a secret of this name though it decides which programs run; can be given several times
    #[arg(long = "allow-name", value_name = "NAME")]
    pub(super) allowed: Vec<String>,
}

impl Choice {
    /// Whether it is one of those that are wanted: of all, if none is named.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Whether it steers no programs, or may.
    pub(super) fn permits(&self, name: &str) -> bool {
        !steers_programs(name) || self.allowed.iter().any(|allowed| allowed == name)
    }
}

/// Families of variables by how they begin.
const PREFIXES: [&str; 11] = [
    // Of loaders: libraries that are loaded into every program.
    "LD_",
    "DYLD_",
    // Functions of bash, which replace commands.
    "BASH_FUNC_",
    // Settings of git and npm, some of which are commands.
    "GIT_CONFIG",
    "NPM_CONFIG_",
    "npm_config_",
    // Settings of cargo: compilers, linkers, what runs programs, and what gives credentials.
    "CARGO_",
    // Libraries that .NET loads to watch a program.
    "CORECLR_",
    "COR_PROFILER",
    // Code that Lua runs at its start, with and without the version.
    "LUA_INIT",
    // Keywheel itself: another server, another login.
    "KEYWHEEL_",
];

/// Families of variables by how they end: commands that programs start to show, edit, ask, or reach something.
const SUFFIXES: [&str; 8] = [
    "_PAGER",
    "_EDITOR",
    "_ASKPASS",
    "_RSH",
    "_SSH",
    "_COMMAND",
    "_PASSCOMMAND",
    "_WRAPPER",
];

/// Single variables, by who reads them.
const NAMES: [&[&str]; 12] = [
    // Every program: where its commands, shell, settings and libraries are.
    &[
        "PATH",
        "HOME",
        "SHELL",
        "XDG_CONFIG_HOME",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "OPENSSL_CONF",
        "OPENSSL_ENGINES",
        "OPENSSL_MODULES",
    ],
    // Shells.
    &[
        "BASH_ENV",
        "ENV",
        "IFS",
        "CDPATH",
        "SHELLOPTS",
        "BASHOPTS",
        "PS0",
        "PS1",
        "PS2",
        "PS4",
        "ZDOTDIR",
        "FPATH",
    ],
    // What other programs start to show or ask something.
    &[
        "EDITOR",
        "VISUAL",
        "PAGER",
        "MANPAGER",
        "BROWSER",
        "LESS",
        "LESSOPEN",
        "LESSCLOSE",
        "MANOPT",
        "TAR_OPTIONS",
        "RSYNC_CONNECT_PROG",
        "VIMINIT",
        "EXINIT",
    ],
    // git.
    &[
        "GIT_EXTERNAL_DIFF",
        "GIT_EXEC_PATH",
        "GIT_TEMPLATE_DIR",
        "GIT_DIR",
    ],
    // Node.js.
    &["NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE"],
    // Python.
    &[
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONINSPECT",
        "PYTHONUSERBASE",
        "PYTHONBREAKPOINT",
        "PYTHONWARNINGS",
        "PYTHONPLATLIBDIR",
        "PYTHONEXECUTABLE",
    ],
    // Perl.
    &["PERL5OPT", "PERL5LIB", "PERL5DB", "PERL5SHELL", "PERLLIB"],
    // Ruby.
    &[
        "RUBYOPT",
        "RUBYLIB",
        "RUBYSHELL",
        "GEM_HOME",
        "GEM_PATH",
        "BUNDLE_GEMFILE",
    ],
    // Java.
    &[
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "JAVA_OPTS",
        "JAVA_HOME",
        "CLASSPATH",
        "MAVEN_OPTS",
        "GRADLE_OPTS",
    ],
    // .NET.
    &["DOTNET_STARTUP_HOOKS"],
    // PHP, Lua, R and Erlang.
    &[
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "LUA_PATH",
        "LUA_CPATH",
        "R_ENVIRON_USER",
        "R_PROFILE_USER",
        "ERL_FLAGS",
        "ERL_AFLAGS",
        "ERL_ZFLAGS",
        "ELIXIR_ERL_OPTIONS",
    ],
    // Compilers and builds.
    &[
        "CC",
        "CXX",
        "CPP",
        "LD",
        "AR",
        "CFLAGS",
        "CXXFLAGS",
        "LDFLAGS",
        "MAKEFLAGS",
        "GNUMAKEFLAGS",
        "GOFLAGS",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTUP_TOOLCHAIN",
    ],
];

/// Of the families, what is a secret all the same: the tokens of cargo's registries.
fn is_token_of_cargo(name: &str) -> bool {
    let of_registry = || name.strip_prefix("CARGO_REGISTRIES_")?.strip_suffix("_TOKEN");
    name == "CARGO_REGISTRY_TOKEN" || of_registry().is_some()
}

/// Whether a variable of this name decides which programs or libraries run.
fn steers_programs(name: &str) -> bool {
    is_of_family(name) && !is_token_of_cargo(name) || NAMES.iter().any(|names| names.contains(&name))
}

fn is_of_family(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A single name that a family covers is one more to read and says nothing.
    #[test]
    fn no_name_is_listed_twice() {
        let mut names = NAMES.concat();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for name in names {
            assert!(!is_of_family(name), "{name}");
        }
    }

    #[test]
    fn what_runs_other_programs_is_known_by_its_name() {
        for name in [
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "BASH_FUNC_ls%%",
            "GIT_CONFIG_COUNT",
            "KEYWHEEL_URL",
            "PATH",
            "ENV",
            "PYTHONSTARTUP",
            "_JAVA_OPTIONS",
            "AWS_PAGER",
            "KUBE_EDITOR",
            "SSH_ASKPASS",
            "BORG_RSH",
            "SVN_SSH",
            "RESTIC_PASSWORD_COMMAND",
            "BORG_PASSCOMMAND",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_BUILD_RUSTC",
            "CARGO_REGISTRIES_OURS_CREDENTIAL_PROVIDER",
            "CORECLR_PROFILER_PATH_64",
            "COR_PROFILER_PATH_32",
            "LESS",
            "TAR_OPTIONS",
            "CC",
            "CXX",
            "RUSTC",
        ] {
            assert!(steers_programs(name), "{name}");
        }
        for name in [
            "AWS_ACCESS_KEY_ID",
            "DATABASE_URL",
            "GIT_TOKEN",
            "NPM_TOKEN",
            "ENVIRONMENT",
            "PATH_TO_KEY",
            "DEPLOY_SSH_KEY",
            "CARGO_REGISTRY_TOKEN",
            "CARGO_REGISTRIES_OURS_TOKEN",
            "PAGERDUTY_TOKEN",
        ] {
            assert!(!steers_programs(name), "{name}");
        }
    }
}
