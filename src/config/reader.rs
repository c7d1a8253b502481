//! Reading variables: empty counts as unset, every fault is collected, and no secret reaches a message.

use std::fmt;
use std::ops::RangeInclusive;

use secrecy::SecretString;

use super::variables;

/// Where values come from: the process environment in production, a closure over a map in tests.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process environment. Bytes that are not UTF-8 become U+FFFD, which the reader refuses.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// One variable that is missing or wrong. `Display` is one line: name, what is wrong, an example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it, never the value of a secret.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = variables::quoted(variables::find(self.name).example);
        write!(
            f,
            "{name} {problem}; for example {name}={example}",
            name = self.name,
            problem = self.problem
        )
    }
}

/// Everything that is wrong, in the order of the settings; `Display` gives one line each, so that a person who sets
/// up the sidecar sees the whole list at the first start instead of one fault per start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// Reads variables one by one and remembers what was wrong with them.
pub(super) struct Reader<'a> {
    lookup: Lookup<'a>,
    errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: Lookup<'a>) -> Self {
        Self {
            lookup,
            errors: Vec::new(),
        }
    }

    pub(super) fn lookup(&self) -> Lookup<'a> {
        self.lookup
    }

    pub(super) fn fail(&mut self, name: &'static str, problem: impl Into<String>) {
        self.errors.push(ConfigError {
            name,
            problem: problem.into(),
        });
    }

    /// The value without surrounding white space (secrets read from files end in a newline), or nothing when it is
    /// unset, empty, or unusable anywhere: control characters would reach headers and log lines.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        debug_assert_eq!(variables::find(name).name, name);
        let value = (self.lookup)(name)?.trim().to_owned();
        if value.is_empty() {
            return None;
        }
        if value.contains('\u{fffd}') {
            self.fail(name, "is not valid UTF-8");
            return None;
        }
        if value.chars().any(char::is_control) {
            self.fail(
                name,
                "contains a control character such as a line break: it must be one line",
            );
            return None;
        }
        Some(value)
    }

    /// [`Self::text`], checked by `parse`, whose error says what is wrong ("is not …").
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.text(name)?;
        match parse(&value) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fail(name, problem);
                None
            }
        }
    }

    /// As [`Self::parsed`], but its absence is a fault too; `why` completes "is missing".
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        why: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let before = self.errors.len();
        let value = self.parsed(name, parse);
        if value.is_none() && self.errors.len() == before {
            let gap = if why.is_empty() { "" } else { ": " };
            self.fail(name, format!("is missing{gap}{why}"));
        }
        value
    }

    /// A required secret: white space inside is a copying mistake, and the value never appears in a message.
    pub(super) fn secret(&mut self, name: &'static str, why: &str) -> Option<SecretString> {
        self.required(name, why, |value| {
            if value.chars().all(|c| c.is_ascii_graphic()) {
                Ok(SecretString::from(value.to_owned()))
            } else {
                Err("contains a space or a character outside ASCII, which no key does".into())
            }
        })
    }

    /// A whole number within a range.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        self.parsed(name, |value| {
            let (from, to) = (range.start(), range.end());
            match value.parse::<u32>() {
                Ok(number) if range.contains(&number) => Ok(number),
                _ => Err(format!(
                    "is {value:?}, but must be a whole number from {from} to {to}"
                )),
            }
        })
        .unwrap_or(default)
    }

    /// The settings, or everything that was wrong with them.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(ConfigErrors(self.errors)),
        }
    }
}
