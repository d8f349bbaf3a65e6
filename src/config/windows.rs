//! Windows of single models: a table of the file, `MODEL=TOKENS,...` as a flag or a variable.

use std::collections::HashMap;
use std::str::FromStr;

use serde::Deserialize;

use super::values::Value;

/// Tokens of each model's window, by the model's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Windows(HashMap<String, u64>);

impl Value for Windows {
    type Checked = HashMap<String, u64>;

    fn check(self) -> Result<HashMap<String, u64>, String> {
        match self.0.iter().find(|(_, tokens)| **tokens == 0) {
            Some((model, _)) => Err(format!("that of {model:?} must be more than 0")),
            None => Ok(self.0),
        }
    }
}

impl FromStr for Windows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        let windows = entries.map(|entry| {
            // A name may hold the sign, a number cannot.
            let read = entry.rsplit_once('=').and_then(|(model, tokens)| {
                let tokens = tokens.trim().parse().ok()?;
                let model = model.trim();
                // With a space in it, it is two entries without a comma.
                let is_name = !model.is_empty() && !model.contains(char::is_whitespace);
                is_name.then(|| (model.to_owned(), tokens))
            });
            read.ok_or_else(|| format!("{entry:?} must be MODEL=TOKENS, as in qwen3-8b=32768"))
        });
        windows.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_and_their_tokens_are_read_from_a_variable() {
        let windows: Windows = "qwen3-8b=32768, org/llama=3:8b = 8192,\n,m=1".parse().expect("windows");
        let windows = windows.check().expect("windows");
        let expected = [("qwen3-8b", 32_768), ("org/llama=3:8b", 8_192), ("m", 1)];
        assert_eq!(windows, expected.map(|(model, tokens)| (model.to_owned(), tokens)).into());
        for bad in ["qwen", "qwen=", "=3", "qwen=many", "qwen=-1", "a=1 b=2"] {
            assert!(bad.parse::<Windows>().is_err_and(|problem| problem.contains("MODEL=TOKENS")), "{bad}");
        }
        assert!("m=0".parse::<Windows>().expect("a number").check().is_err());
    }
}
