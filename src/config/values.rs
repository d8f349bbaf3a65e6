//! What a setting can be: how it is written, and what the program makes of it.

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::ParseIntError;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::embed::DeviceChoice;

/// A value as it is written.
pub trait Value: Sized {
    /// What it means to the program.
    type Checked;

    /// Reads its meaning; the error says what is wrong with it.
    fn check(self) -> Result<Self::Checked, String>;

    /// Whether it is an empty text, where that says nothing.
    fn is_empty(&self) -> bool {
        false
    }
}

/// 16 TiB, or half a year: more is a slip, and would overflow further on.
const MOST: u64 = 1 << 24;
const CENTURY: u64 = 36_500;
const SECONDS_OF_A_DAY: u64 = 86_400;

macro_rules! numbers {
    ($($(#[$doc:meta])+ $name:ident: $range:expr, $checked:ty = $meaning:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }

        impl Value for $name {
            type Checked = $checked;

            fn check(self) -> Result<$checked, String> {
                within($range, self.0).map($meaning)
            }
        }
    )+};
}

numbers! {
    /// A number of things that are there at a time.
    Count: 1..=MOST, usize = |number| number as usize;
    /// A number of things that are kept at most.
    Most: 1..=MOST, u64 = |number| number;
    /// Passages of one answer.
    Passages: 1..=50, usize = |number| number as usize;
    /// Tokens of a window.
    Tokens: 1..=u64::MAX, u64 = |number| number;
    /// Mebibytes; in the program bytes.
    Mib: 1..=MOST, u64 = |number| number << 20;
    /// A time.
    Milliseconds: 1..=MOST, Duration = Duration::from_millis;
    /// A time.
    Seconds: 1..=MOST, Duration = Duration::from_secs;
    /// A time, which may be none.
    Days: 0..=CENTURY, Duration = |number| Duration::from_secs(number * SECONDS_OF_A_DAY);
}

fn within(range: RangeInclusive<u64>, number: u64) -> Result<u64, String> {
    if number < *range.start() {
        return Err("must be more than 0".to_owned());
    }
    if number > *range.end() {
        return Err(format!("{number} is too much: at most {}", range.end()));
    }
    Ok(number)
}

/// Values that are taken as they are.
macro_rules! plain {
    ($($kind:ty),+) => {$(
        impl Value for $kind {
            type Checked = Self;

            fn check(self) -> Result<Self, String> {
                Ok(self)
            }
        }
    )+};
}

plain!(bool, SocketAddr, DeviceChoice);

impl Value for String {
    type Checked = Self;

    fn check(self) -> Result<Self, String> {
        Ok(self)
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Value for PathBuf {
    type Checked = Self;

    fn check(self) -> Result<Self, String> {
        Ok(self)
    }

    fn is_empty(&self) -> bool {
        self.as_os_str().is_empty()
    }
}

/// Texts of which [`Value::check`] is written elsewhere.
macro_rules! texts {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(Self(text.to_owned()))
            }
        }
    )+};
}

texts! {
    /// The address of the LLM server's API.
    UpstreamUrl;
    /// The key of the LLM server.
    UpstreamKey;
    /// The address of a server that reranks.
    RerankUrl;
    /// The address under which clients reach this server.
    PublicUrl;
    /// An origin of web pages.
    Origin;
    /// A key and its scopes.
    KeyEntry;
}

/// A folder that must be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct SyncedFolder(pub PathBuf);

/// A path need not be UTF-8.
impl From<OsString> for SyncedFolder {
    fn from(path: OsString) -> Self {
        Self(path.into())
    }
}

impl Value for SyncedFolder {
    type Checked = PathBuf;

    fn check(self) -> Result<PathBuf, String> {
        match self.0.is_dir() {
            true => Ok(self.0),
            false => Err(format!(
                "{} is not a folder: make it, mount what should be there, or leave the setting out; what was synced from it is kept",
                self.0.display()
            )),
        }
    }
}
