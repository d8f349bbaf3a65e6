//! The command line: what each command needs, and how each ends. Wiring only.

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Termination};

use clap::builder::Resettable;
use clap::{Command as Grammar, CommandFactory, FromArgMatches, Parser, Subcommand};
use lastro::commands::{CalibrateArguments, CommandError, EvalArguments, Examination, KeysCommand};
use lastro::config::{Config, Options};
use lastro::telemetry::Log;
use lastro::{commands, reading, telemetry};

/// Chat with your own documents through any OpenAI client: an OpenAI-compatible server in front of vLLM.
#[derive(Parser)]
#[command(name = "lastro", version)]
struct Cli {
    /// Settings file [default: ./lastro.toml if it exists]
    #[arg(long, env = "LASTRO_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the OpenAI API in front of the LLM server
    Serve,
    /// Put files and folders into a collection, which is made where it is missing
    Ingest {
        collection: String,
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Ask a collection one question
    Ask {
        collection: String,
        question: String,
        /// Model of the LLM server's [default: its first]
        #[arg(long)]
        model: Option<String>,
    },
    /// Show the passages of a collection that match best
    Search {
        collection: String,
        query: String,
        /// How many
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
        limit: u8,
    },
    /// Make, list and revoke the keys that requests need, and grant them collections
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look at everything that the server needs, and say what to do about what is wrong
    Doctor {
        /// Ask the LLM server for one token, which may cost money
        #[arg(long)]
        ask: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure how well the questions of a dataset, or your own, find what they should
    Eval(EvalArguments),
    /// Measure how an embedding model tells what has to do with a question, for its lastro.json
    Calibrate(CalibrateArguments),
    /// Ask the server at --listen whether it answers: for containers
    Healthcheck,
    /// Print every setting, explained: a lastro.toml to begin with
    Settings {
        /// Print the reference in Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Parse one file: the server starts itself with this, in a process with limits
    #[command(name = reading::child::COMMAND, hide = true)]
    ExtractDocument,
}

/// The log's level of the server.
const SERVING: &str = "info,tantivy=warn";
/// The log's level of its clients.
const ASKING: &str = "error";

fn main() -> ExitCode {
    match run(parse(std::env::args_os())) {
        Ok(code) => code,
        // The reader of the output has seen enough.
        Err(CommandError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            say_last(&error);
            match error {
                // As clap ends where the command line cannot be used.
                CommandError::Config(_) | CommandError::Exposed(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(Cli { config: file, options, command }: Cli) -> Result<ExitCode, CommandError> {
    let file = file.as_deref();
    match command {
        Command::Serve => started(options, file, SERVING, commands::serve),
        Command::Ingest { collection, paths } => {
            started(options, file, ASKING, |config| commands::ingest(config, &collection, &paths))
        }
        Command::Ask { collection, question, model } => {
            started(options, file, ASKING, |config| commands::ask(config, &collection, &question, model))
        }
        Command::Search { collection, query, limit } => started(options, file, ASKING, |config| {
            commands::search(config, &collection, &query, limit.into())
        }),
        Command::Keys(command) => started(options, file, ASKING, |config| commands::keys(config, command)),
        Command::Doctor { ask, json } => {
            let config = Config::load(options, file);
            block_on(commands::doctor(config, Config::file(file), Examination { ask, json }))
        }
        Command::Eval(arguments) => {
            let data_is_named = options.data.is_some();
            started(options, file, ASKING, |config| commands::eval(config, arguments, data_is_named))
        }
        Command::Calibrate(arguments) => {
            started(options, file, ASKING, |config| commands::calibrate(config, arguments))
        }
        Command::Healthcheck => commands::healthcheck(Config::listen(options, file)).map(Termination::report),
        Command::Settings { markdown } => commands::settings(markdown).map(Termination::report),
        Command::ExtractDocument => Ok(reading::child::child_main()),
    }
}

/// Runs a command that is the server or a client of one, with all settings and with a log, whose level is that of
/// `LASTRO_LOG` or else `level`.
fn started<F, T>(
    options: Options,
    file: Option<&Path>,
    level: &str,
    command: impl FnOnce(Config) -> F,
) -> Result<ExitCode, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
    T: Termination,
{
    let config = Config::load(options, file)?;
    // The program that takes this one's place reads its settings once more: what came through a pipe is gone, and would
    // be taken for no settings at all.
    let read_again = Config::file(file).is_none_or(Path::is_file);
    if config.embedding.is_some() && read_again {
        commands::use_own_processors();
    }
    // It is written as long as it is kept.
    let _log = telemetry::log_events(config.log_json, level)?;
    block_on(command(config))
}

fn block_on<T: Termination>(
    command: impl Future<Output = Result<T, CommandError>>,
) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(command);
    // Loading a model cannot be interrupted; the process need not wait for it.
    runtime.shutdown_background();
    done.map(Termination::report)
}

/// Says why a command failed, through a log: standard error may have nobody who reads it.
fn say_last(error: &CommandError) {
    let text = format!("lastro: {error}");
    match Log::to_stderr() {
        Ok(log) => log.lines().put_first(format!("{text}\n").as_bytes()),
        Err(_) => commands::remark(format_args!("{text}")),
    }
}

/// Parses a command line. An empty environment variable counts as unset, as an absent key of the settings file does.
fn parse(line: impl IntoIterator<Item = OsString>) -> Cli {
    fn without_empty_variables(grammar: Grammar) -> Grammar {
        let grammar = grammar.mut_args(|argument| match argument.get_env() {
            Some(name) if std::env::var_os(name).is_some_and(|value| value.is_empty()) => {
                argument.env(Resettable::Reset)
            }
            _ => argument,
        });
        grammar.mut_subcommands(without_empty_variables)
    }
    let matches = without_empty_variables(Cli::command()).try_get_matches_from_mut(line);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).unwrap_or_else(|error| error.exit())
}
