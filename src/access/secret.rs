//! What is presented: `sk-lastro-`, 16 hexadecimal digits that find the key, `-`, and 48 that prove it (192 bits).

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::system::random_hex;

/// How every key begins, so that a leaked one is found by whoever looks for it.
pub const PREFIX: &str = "sk-lastro-";

/// SHA-256 of a whole key. Its secret part is random, so neither salt nor slowness would add anything.
#[derive(Clone, Copy)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of what was presented.
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// Of no key.
    pub(super) fn nobody() -> Self {
        Self([0; 32])
    }

    /// Whether both are equal, in a time that does not tell where they differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// As it is stored.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// A new key, as it is shown once.
pub struct Secret {
    /// `key_` and 16 hexadecimal digits: what the key is called everywhere else.
    pub id: String,
    text: String,
}

impl Secret {
    /// A fresh one of the system's random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let (id, proof) = (random_hex(8)?, random_hex(24)?);
        let text = format!("{PREFIX}{id}-{proof}");
        Ok(Self { id: format!("key_{id}"), text })
    }

    /// One that was made before, as it was shown; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, proof) = parts(text)?;
        let digits = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let whole = id.len() == 16 && proof.len() == 48 && digits(id) && digits(proof);
        whole.then(|| Self { id: format!("key_{id}"), text: text.to_owned() })
    }

    /// The key itself.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.id)
    }
}

/// The part by which a key is found. Empty for what is no key.
pub(super) fn id_digits(presented: &str) -> &str {
    parts(presented).map_or("", |(id, _)| id)
}

/// What finds a key, and what proves it.
fn parts(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(PREFIX)?.split_once('-')
}
