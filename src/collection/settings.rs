//! What can be set for one collection: `collection.toml` in a folder, JSON in the store.

use serde::{Deserialize, Serialize};

/// Settings of a collection. What is absent takes the server's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// ISO 639-1, of all documents; otherwise it is detected for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Passages given to the model, 1 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passages: Option<usize>,
    /// Share of meaning against words in a hit's score, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense_weight: Option<f32>,
    /// Cosine under which a passage is left out, -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f32>,
    /// The text before the question; `{passages}` stands for the passages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What to do when nothing relevant was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_empty: Option<OnEmpty>,
}

/// What to do when nothing relevant was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    /// Tell the model that the documents have nothing, and let it say so.
    #[default]
    Note,
    /// Let the model answer as if there were no collection.
    Answer,
    /// Answer 404 without asking the model.
    Refuse,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0}")]
    Syntax(String),
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
}

impl Settings {
    /// Reads and checks a `collection.toml`.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text).map_err(|e| SettingsError::Syntax(e.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    /// Reads what the store holds.
    pub fn from_json(text: &str) -> Result<Self, SettingsError> {
        serde_json::from_str(text).map_err(|e| SettingsError::Syntax(e.to_string()))
    }

    /// What the store holds.
    pub fn to_json(&self) -> Result<String, SettingsError> {
        serde_json::to_string(self).map_err(|e| SettingsError::Syntax(e.to_string()))
    }

    fn check(&self) -> Result<(), SettingsError> {
        let bad = |key, problem: &str| Err(SettingsError::Value { key, problem: problem.to_owned() });
        if self.passages.is_some_and(|k| !(1..=50).contains(&k)) {
            return bad("passages", "must be 1 to 50");
        }
        if self.dense_weight.is_some_and(|w| !(0.0..=1.0).contains(&w)) {
            return bad("dense_weight", "must be 0 to 1");
        }
        if self.floor.is_some_and(|f| !(-1.0..=1.0).contains(&f)) {
            return bad("floor", "must be -1 to 1");
        }
        if self.template.as_ref().is_some_and(|t| t.matches("{passages}").count() != 1) {
            return bad("template", "must contain {passages} exactly once");
        }
        if self.language.as_ref().is_some_and(|l| l.len() != 2 || !l.bytes().all(|b| b.is_ascii_lowercase()))
        {
            return bad("language", "must be a two-letter code such as \"en\" or \"pt\"");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (toml, says) in [
            ("pasages = 3", "pasages"),
            ("passages = 0", "1 to 50"),
            ("dense_weight = 2.0", "0 to 1"),
            ("language = \"english\"", "two-letter"),
            ("template = \"no place\"", "{passages}"),
            ("on_empty = \"maybe\"", "on_empty"),
        ] {
            let error = Settings::from_toml(toml).expect_err(toml).to_string();
            assert!(error.contains(says), "{toml}: {error}");
        }
    }

    #[test]
    fn what_is_stored_reads_back() -> Result<(), SettingsError> {
        let settings = Settings::from_toml("title = \"A\"\nlanguage = \"pt\"\non_empty = \"refuse\"")?;
        assert_eq!(Settings::from_json(&settings.to_json()?)?, settings);
        Ok(())
    }
}
