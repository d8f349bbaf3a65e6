//! How the selected collections want their passages shown.

use std::sync::Arc;

use super::RagSettings;
use crate::collection::{OnEmpty, Settings};
use crate::prompt::{Template, default_template};
use crate::selection::Selected;

/// What the settings of the selected collections say: of several, the first that says something.
pub(super) struct Manner {
    settings: Vec<Arc<Settings>>,
    language: Option<String>,
}

impl Manner {
    pub fn of(selected: &Selected) -> Self {
        let collections = || selected.scopes.iter().map(|scope| &scope.collection);
        let language = collections().find_map(|collection| collection.language());
        Self { settings: collections().map(|collection| collection.settings()).collect(), language }
    }

    /// The language that the model is spoken to in.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The text around the passages.
    pub fn template(&self) -> Template<'_> {
        let own = self.settings.iter().find_map(|settings| settings.template.as_deref());
        own.map_or_else(|| default_template(self.language()), Template::new)
    }

    /// Most passages given to the model: of several collections, as many as any of them wants.
    pub fn passages(&self, server: &RagSettings) -> usize {
        self.settings.iter().filter_map(|settings| settings.passages).max().unwrap_or(server.passages)
    }

    /// What is done where nothing relevant was found.
    pub fn on_empty(&self) -> OnEmpty {
        self.settings.iter().find_map(|settings| settings.on_empty).unwrap_or_default()
    }
}
