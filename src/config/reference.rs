//! The table of settings for people: the example of a settings file, and the reference.

use super::settings::GROUPS;
use super::table::{Setting, Unset};

const ABOUT_EXAMPLE: &str = "\
# lastro's settings, as `lastro settings` prints them. Copy this to lastro.toml in the folder where lastro is started, or
# name the file with --config. Every key is also a flag (--listen) and a variable (LASTRO_LISTEN); flags go before
# variables, variables before this file. A key that lastro does not know is an error.
# Each line below that is commented out shows the default, or an example where the text names another default.
";

const ABOUT_REFERENCE: &str = "\
# Settings

<!-- Made by `lastro settings --markdown` from src/config/settings.rs: change that, and write this file anew. -->

Every setting is a flag, an environment variable and a key of `lastro.toml`, which is read from the folder where lastro is
started, or from where `--config` (`LASTRO_CONFIG`) says. Flags go before variables, variables before the file. An empty
variable counts as unset; a key that lastro does not know is an error. `lastro settings > lastro.toml` makes a file with all
of them ([lastro.example.toml](../lastro.example.toml)), `lastro serve --help` lists them, and `lastro doctor` checks them.
";

const OTHER_VARIABLES: &str = "
## Other variables

| variable | what it does |
|---|---|
| `LASTRO_CONFIG` | names the settings file, as `--config` does |
| `LASTRO_LOG` | sets the level of the log: `warn`, `debug`, or parts such as `info,tantivy=warn` (the default of `lastro serve`) |
| `RAYON_NUM_THREADS` | sets how many processors the embedding model takes on the CPU |
| `SSL_CERT_FILE` | names certificates to check an LLM server behind `https://` against |
| `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, ... | OpenTelemetry's own, for traces |
";

/// A settings file in which every setting is explained and commented out.
pub fn example() -> String {
    let mut text = ABOUT_EXAMPLE.to_owned();
    for group in GROUPS {
        text += &format!("\n\n## {}\n", group.title);
        for setting in group.settings {
            text += "\n";
            for line in setting.text.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
                text += &format!("# {line}\n");
            }
            if let Unset::Otherwise(otherwise) = setting.unset {
                text += &format!("# Default: {otherwise}.\n");
            }
            text += &format!("#{} = {}\n", setting.key, setting.example);
        }
    }
    text
}

/// The reference of all settings, in Markdown.
pub fn markdown() -> String {
    let mut text = ABOUT_REFERENCE.to_owned();
    for group in GROUPS {
        text += &format!("\n## {}\n", group.title);
        for setting in group.settings {
            text += &format!("\n### `{}`\n\n", setting.key);
            for line in setting.text {
                text += &format!("{}\n", line.trim());
            }
            text += &format!("\n{}\n", spellings(setting));
        }
    }
    text + OTHER_VARIABLES
}

/// How a setting is written, and what holds without it.
fn spellings(setting: &Setting) -> String {
    let names = format!("`{}`, `{}`", setting.flag(), setting.variable);
    match setting.unset {
        Unset::Default(default) => format!("{names}; default: `{default}`."),
        Unset::Otherwise(otherwise) => {
            format!("{names}; default: {otherwise}. Example: `{} = {}`.", setting.key, setting.example)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    fn settings() -> impl Iterator<Item = &'static Setting> {
        GROUPS.iter().flat_map(|group| group.settings)
    }

    #[test]
    fn the_example_holds_every_setting() {
        let set = |line: &&str| line.strip_prefix('#').is_some_and(|line| !line.starts_with([' ', '#']));
        let example = example();
        let lines: Vec<&str> = example.lines().filter(set).map(|line| &line[1..]).collect();
        assert_eq!(lines.len(), settings().count());
        let file = lines.join("\n");
        toml::from_str::<Options>(&file).expect("the example's keys are settings, its values theirs");
    }

    #[test]
    fn a_setting_is_named_alike_everywhere() {
        for setting in settings() {
            assert_eq!(setting.variable, format!("LASTRO_{}", setting.key.to_uppercase()));
            assert!(setting.flag()[2..].replace('-', "_") == setting.key, "{}", setting.flag());
            assert!(setting.first_paragraph().ends_with('.'), "{}: a sentence", setting.key);
            assert!(setting.text.iter().all(|line| line.len() <= 120), "{}: long lines", setting.key);
        }
    }
}
