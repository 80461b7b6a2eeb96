//! Names of variables that make a program run other programs, or read other code than its own.
//!
//! Whoever may write secrets could run anything on the machine of whoever runs a command with them, so that these are
//! passed on only to who names them.

/// Families of variables.
const PREFIXES: [&str; 8] = [
    // Of loaders: libraries that are loaded into every program.
    "LD_",
    "DYLD_",
    // Functions of bash, which replace commands.
    "BASH_FUNC_",
    // Settings of git and npm, some of which are commands.
    "GIT_CONFIG",
    "NPM_CONFIG_",
    "npm_config_",
    // Code that Lua runs at its start, with and without the version.
    "LUA_INIT",
    // Keywheel itself: another server, another login.
    "KEYWHEEL_",
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
        "PROMPT_COMMAND",
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
        "LESSOPEN",
        "LESSCLOSE",
        "SSH_ASKPASS",
        "SUDO_ASKPASS",
        "RSYNC_RSH",
        "VIMINIT",
        "EXINIT",
    ],
    // git.
    &[
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
        "GIT_EDITOR",
        "GIT_SEQUENCE_EDITOR",
        "GIT_PAGER",
        "GIT_EXTERNAL_DIFF",
        "GIT_PROXY_COMMAND",
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
    &[
        "DOTNET_STARTUP_HOOKS",
        "CORECLR_PROFILER_PATH",
        "COR_PROFILER_PATH",
    ],
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
    &["MAKEFLAGS", "GOFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER"],
];

/// Whether a variable of this name decides which programs or libraries run.
pub(super) fn steers_programs(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.iter().any(|names| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert!(!steers_programs(name), "{name}");
        }
    }
}
