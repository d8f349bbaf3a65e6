//! The table of settings: how a row is written, and what is made of it.
//!
//! A row gives a setting's text, key, type, and default (`= default`) or what holds without one (`or "..."`), and an
//! example where the default is none (`as "..."`, in TOML):
//!
//! ```text
//! "Heading of a group" {
//!     /// Its help. The first paragraph alone stands in `--help`.
//!     passages: Passages = 8;
//!     /// Another.
//!     window: Tokens, or "what the LLM server tells", as "8192";
//! }
//! ```

use std::fmt::Display;
use std::str::FromStr;

use super::ConfigError;
use super::values::Value;

/// A setting, as it is explained.
pub struct Setting {
    /// The key of `lastro.toml`; with `-` in place of `_` the flag.
    pub key: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// Lines of prose, in paragraphs.
    pub text: &'static [&'static str],
    pub unset: Unset,
    /// A value in TOML.
    pub example: &'static str,
}

/// What holds where a setting is not set.
pub enum Unset {
    /// A value.
    Default(&'static str),
    /// Something that is no value, in words.
    Otherwise(&'static str),
}

/// Settings that belong together.
pub struct Group {
    pub title: &'static str,
    pub settings: &'static [Setting],
}

impl Setting {
    pub fn flag(&self) -> String {
        format!("--{}", self.key.replace('_', "-"))
    }

    /// The text up to its first blank line, in one line.
    pub fn first_paragraph(&self) -> String {
        let lines = self.text.iter().map(|line| line.trim());
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// What `--help` says.
    pub fn help(&self) -> String {
        let first = self.first_paragraph();
        let (Unset::Default(unset) | Unset::Otherwise(unset)) = self.unset;
        format!("{} [default: {unset}]", first.strip_suffix('.').unwrap_or(&first))
    }
}

/// The checked value of a setting that has a default.
pub(super) fn or_default<V>(
    key: &'static str,
    said: Option<V>,
    default: &str,
) -> Result<V::Checked, ConfigError>
where
    V: Value + FromStr<Err: Display>,
{
    let bad = |problem: String| ConfigError::Value { key, problem };
    let value = match said {
        Some(value) => value,
        None => default.parse().map_err(|error: V::Err| bad(error.to_string()))?,
    };
    value.check().map_err(bad)
}

/// The checked value of a setting that may be left out; an empty text counts as left out.
pub(super) fn if_said<V: Value>(
    key: &'static str,
    said: Option<V>,
) -> Result<Option<V::Checked>, ConfigError> {
    let checked = said.filter(|value| !value.is_empty()).map(Value::check).transpose();
    checked.map_err(|problem| ConfigError::Value { key, problem })
}

const PREFIX: &str = "LASTRO_";

/// The bytes of a variable's name: the prefix and the key in capitals.
pub(super) const fn in_capitals<const N: usize>(key: &str) -> [u8; N] {
    let (prefix, key) = (PREFIX.as_bytes(), key.as_bytes());
    let mut name = [0; N];
    let mut at = 0;
    while at < N {
        name[at] = match at < prefix.len() {
            true => prefix[at],
            false => key[at - prefix.len()].to_ascii_uppercase(),
        };
        at += 1;
    }
    name
}

pub(super) const fn length_of_variable(key: &str) -> usize {
    PREFIX.len() + key.len()
}

macro_rules! variable {
    ($key:ident) => {{
        const KEY: &str = stringify!($key);
        const BYTES: [u8; $crate::config::table::length_of_variable(KEY)] =
            $crate::config::table::in_capitals(KEY);
        const NAME: &str = match std::str::from_utf8(&BYTES) {
            Ok(name) => name,
            Err(_) => panic!("a key is ASCII"),
        };
        NAME
    }};
}

macro_rules! setting {
    ($key:ident, [$($text:literal),+], = $default:literal) => {
        setting!($key, [$($text),+], = $default, as stringify!($default))
    };
    ($key:ident, [$($text:literal),+], = $default:literal, as $example:expr) => {
        setting!($key, [$($text),+], $crate::config::table::Unset::Default(concat!($default)), $example)
    };
    ($key:ident, [$($text:literal),+], or $unset:literal, as $example:literal) => {
        setting!($key, [$($text),+], $crate::config::table::Unset::Otherwise($unset), $example)
    };
    ($key:ident, [$($text:literal),+], $unset:expr, $example:expr) => {
        $crate::config::table::Setting {
            key: stringify!($key),
            variable: variable!($key),
            text: &[$($text),+],
            unset: $unset,
            example: $example,
        }
    };
}

macro_rules! checked_type {
    ($kind:ty, = $default:literal) => { <$kind as $crate::config::values::Value>::Checked };
    ($kind:ty, or $unset:literal) => { Option<<$kind as $crate::config::values::Value>::Checked> };
}

macro_rules! checked {
    ($key:ident, $said:expr, = $default:literal) => {
        $crate::config::table::or_default(stringify!($key), $said, concat!($default))?
    };
    ($key:ident, $said:expr, or $unset:literal) => {
        $crate::config::table::if_said(stringify!($key), $said)?
    };
}

macro_rules! settings {
    ($($title:literal { $(
        $(#[doc = $text:literal])+
        $(#[arg($($arg:tt)+)])?
        $key:ident: $kind:ty $(= $default:literal)? $(, or $unset:literal)? $(, as $example:literal)?;
    )+ })+) => {
        /// What flags, variables or a file say. Nothing needs to be said.
        #[derive(Clone, Debug, Default, clap::Args, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Options {
            $($(
                #[arg(
                    long,
                    global = true,
                    env = variable!($key),
                    help_heading = $title,
                    help = setting!($key, [$($text),+], $(= $default)? $(or $unset)? $(, as $example)?).help(),
                    $($($arg)+)?
                )]
                pub $key: Option<$kind>,
            )+)+
        }

        /// What is said, or else the default: checked, setting by setting.
        pub struct Settings {
            $($(pub $key: checked_type!($kind, $(= $default)? $(or $unset)?),)+)+
        }

        impl Options {
            /// What these say, and `other` where they say nothing.
            pub(super) fn or(self, other: Self) -> Self {
                Self { $($($key: self.$key.or(other.$key),)+)+ }
            }

            pub(super) fn check(self) -> Result<Settings, super::ConfigError> {
                Ok(Settings { $($($key: checked!($key, self.$key, $(= $default)? $(or $unset)?),)+)+ })
            }
        }

        /// All settings, in the order in which they are explained.
        pub const GROUPS: &[super::table::Group] = &[$(super::table::Group {
            title: $title,
            settings: &[$(
                setting!($key, [$($text),+], $(= $default)? $(or $unset)? $(, as $example)?),
            )+],
        }),+];
    };
}
