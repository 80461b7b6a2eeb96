//! Where settings come from, stacked: the last one that names a setting wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The settings file that is also the manual.
pub const DEFAULTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config.default.toml"));

/// What every variable of ours starts with.
const VARIABLE_PREFIX: &str = "KEYWHEEL_";
/// Names the settings file; not a setting itself.
pub const CONFIG_VARIABLE: &str = "KEYWHEEL_CONFIG";
/// Settings whose value is never shown: a key, and addresses that may hold a password.
const NEVER_SHOWN: [&str; 3] = ["root_key", "database_url", "smtp_url"];
/// Settings that are no flag: arguments can be read by other processes.
const NO_FLAG: [&str; 2] = ["root_key", "smtp_url"];

/// One setting as the default file tells it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The name in the file, such as `verify_spacing`.
    pub key: &'static str,
    /// The comment above it.
    pub help: String,
    /// Whether it can be given as a flag.
    pub has_flag: bool,
}

impl Setting {
    /// The flag without its dashes, such as `verify-spacing`.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.to_uppercase())
    }
}

/// The settings in the order of the default file, with the comments above them.
pub fn settings_in_default_file() -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut comment = Vec::new();
    for line in DEFAULTS.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else if let Some((key, _)) = line.split_once(" = ") {
            settings.push(Setting {
                key,
                help: comment.join(" "),
                has_flag: !NO_FLAG.contains(&key),
            });
            comment.clear();
        } else {
            comment.clear();
        }
    }
    settings
}

/// What was found outside, before any check.
#[derive(Default)]
pub struct Sources {
    /// The settings file: its path and its text.
    pub file: Option<(PathBuf, String)>,
    /// All variables that start with `KEYWHEEL_`.
    pub variables: Vec<(String, String)>,
    /// The flags that were given: key and value.
    pub flags: Vec<(&'static str, String)>,
}

impl Sources {
    /// Keeps those of the process's variables that are ours, and not the command line's. Text that is not Unicode is
    /// kept as far as it is readable, and is then refused as a value.
    pub fn keep_variables(
        all: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Vec<(String, String)> {
        all.map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX) && name != CONFIG_VARIABLE)
        .filter(|(name, _)| !keywheel_cli::VARIABLES.contains(&name.as_str()))
        .collect()
    }
}

/// Where a value comes from, as faults name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// The default file.
    Default,
    /// A settings file.
    File(PathBuf),
    /// A variable.
    Variable(String),
    /// A flag, with its dashes.
    Flag(String),
}

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Given {
    key: &'static str,
    pub(super) text: String,
    source: Source,
}

/// `--lease = "2x"`: the place, and the value unless it is secret.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Default => write!(f, "default of {}", self.key)?,
            Source::File(path) => write!(f, "{}: {}", path.display(), self.key)?,
            Source::Variable(name) | Source::Flag(name) => f.write_str(name)?,
        }
        if NEVER_SHOWN.contains(&self.key) {
            f.write_str(" (value not shown)")
        } else {
            write!(f, " = {:?}", self.text)
        }
    }
}

/// One value per setting: the one with the highest priority.
pub(super) struct Layers {
    values: BTreeMap<&'static str, Given>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl Layers {
    /// Stacks the sources. What is not a setting at all is a fault in a file, and a warning as a variable:
    /// platforms add variables of their own, such as `KEYWHEEL_SERVICE_HOST` in Kubernetes.
    pub(super) fn stack(sources: &Sources) -> Self {
        let known = settings_in_default_file();
        let mut layers = Self {
            values: BTreeMap::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        layers.add_file(&known, DEFAULTS, &Source::Default);
        if let Some((path, text)) = &sources.file {
            layers.add_file(&known, text, &Source::File(path.clone()));
        }
        for (name, value) in &sources.variables {
            match known.iter().find(|setting| setting.variable() == *name) {
                Some(setting) => layers.put(setting.key, value.clone(), Source::Variable(name.clone())),
                None => layers
                    .warnings
                    .push(format!("{name} is not a setting of Keywheel and was ignored")),
            }
        }
        for (key, value) in &sources.flags {
            layers.put(
                key,
                value.clone(),
                Source::Flag(format!("--{}", key.replace('_', "-"))),
            );
        }
        layers
    }

    pub(super) fn get(&self, key: &str) -> Option<&Given> {
        self.values.get(key)
    }

    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn put(&mut self, key: &'static str, text: String, source: Source) {
        self.values.insert(key, Given { key, text, source });
    }

    fn add_file(&mut self, known: &[Setting], text: &str, source: &Source) {
        let place = match source {
            Source::File(path) => path.display().to_string(),
            _ => "config.default.toml".to_owned(),
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(fault) => {
                self.faults
                    .push(format!("{place}: not TOML: {}", fault.message()));
                return;
            }
        };
        for (key, value) in table {
            let Some(setting) = known.iter().find(|setting| setting.key == key) else {
                self.faults
                    .push(format!("{place}: {key}: not a setting of Keywheel"));
                continue;
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(switch) => switch.to_string(),
                other => {
                    let found = other.type_str();
                    self.faults.push(format!(
                        "{place}: {key}: expected a text, a whole number, true or false; found: {found}"
                    ));
                    continue;
                }
            };
            self.put(setting.key, text, source.clone());
        }
    }
}
