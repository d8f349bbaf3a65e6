//! The commands. Wiring only.

use std::ffi::OsString;
use std::future::Future;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Command as Grammar, CommandFactory, FromArgMatches, Parser, Subcommand};
use lastro::app::App;
use lastro::config::{Config, Options};
use lastro::telemetry::Log;
use lastro::{commands, reading, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    #[command(disable_help_flag = true)]
    Keys {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        arguments: Vec<String>,
    },
    /// Look at everything that the server needs, and say what to do about what is wrong
    Doctor {
        /// Ask the LLM server for one token, which may cost money
        #[arg(long)]
        ask: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the server at --listen whether it answers: for containers
    Healthcheck,
    /// Parse one file: the server starts itself with this, in a process with limits
    #[command(name = reading::child::COMMAND, hide = true)]
    ExtractDocument,
}

/// `lastro keys` by itself: some of its options have the names of settings.
#[derive(Parser)]
#[command(name = "lastro keys")]
struct KeysCli {
    /// Settings file [default: ./lastro.toml if it exists]
    #[arg(long, env = "LASTRO_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Folder for everything that is kept [default: ./data]
    #[arg(long, env = "LASTRO_DATA", global = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: commands::KeysCommand,
}

/// Parses a command line. A variable that is empty says nothing, as where a file of settings leaves one out.
fn parse<C: CommandFactory + FromArgMatches>(line: impl IntoIterator<Item = OsString>) -> C {
    fn without_empty_variables(grammar: Grammar) -> Grammar {
        let grammar = grammar.mut_args(|argument| match argument.get_env() {
            Some(name) if std::env::var_os(name).is_some_and(|value| value.is_empty()) => {
                argument.env(Resettable::Reset)
            }
            _ => argument,
        });
        grammar.mut_subcommands(without_empty_variables)
    }
    let mut grammar = without_empty_variables(C::command());
    let matches = grammar.try_get_matches_from_mut(line);
    matches.and_then(|matches| C::from_arg_matches(&matches)).unwrap_or_else(|error| error.exit())
}

fn main() -> ExitCode {
    let mut cli: Cli = parse(std::env::args_os());
    let mut keys_command = None;
    if let Command::Keys { arguments } = &cli.command {
        let keys: KeysCli = parse(
            std::iter::once("lastro keys").chain(arguments.iter().map(String::as_str)).map(OsString::from),
        );
        cli.config = keys.config.or(cli.config);
        cli.options.data = keys.data.or(cli.options.data);
        keys_command = Some(keys.command);
    }
    if matches!(cli.command, Command::ExtractDocument) {
        return reading::child::child_main();
    }
    if matches!(cli.command, Command::Healthcheck) {
        return healthcheck(cli.options, cli.config.as_deref());
    }
    if let Command::Doctor { ask, json } = cli.command {
        return doctor(cli.options, cli.config.as_deref(), commands::Examination { ask, json });
    }
    let config = match Config::load(cli.options, cli.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    // It reads its settings once more: what came through a pipe is gone, and would be taken for no settings at all.
    let read_again = Config::file(cli.config.as_deref()).is_none_or(Path::is_file);
    if config.embedding.is_some() && read_again {
        commands::use_own_processors();
    }
    let log = match start_log(&config, matches!(cli.command, Command::Serve)) {
        Ok(log) => log,
        Err(error) => return fail(&error, 1),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let done = match keys_command {
        Some(command) => runtime.block_on(async { Ok(commands::keys(config, command).await?) }),
        None => runtime.block_on(run(cli.command, config)),
    };
    // Loading a model cannot be interrupted; the process need not wait for it.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            // Through the log, which waits for nobody.
            if let Some(message) = message {
                log.lines().put_first(format!("lastro: {message}\n").as_bytes());
            }
            ExitCode::from(code)
        }
    }
}

/// What a command ends with when it did not do what was asked.
struct Failure {
    /// None where all was said.
    message: Option<String>,
    code: u8,
}

impl Failure {
    fn new(error: &dyn std::fmt::Display, code: u8) -> Self {
        Self { message: Some(error.to_string()), code }
    }
}

impl From<commands::CommandError> for Failure {
    fn from(error: commands::CommandError) -> Self {
        match error {
            // Whoever read it has seen enough.
            commands::CommandError::Closed => Self { message: None, code: 0 },
            error => Self::new(&error, 1),
        }
    }
}

async fn run(command: Command, config: Config) -> Result<(), Failure> {
    match command {
        Command::Serve => serve(config).await,
        Command::Ingest { collection, paths } => match commands::ingest(config, &collection, &paths).await? {
            true => Ok(()),
            false => Err(Failure { message: None, code: 1 }),
        },
        Command::Ask { collection, question, model } => {
            Ok(commands::ask(config, &collection, &question, model).await?)
        }
        Command::Search { collection, query, limit } => {
            Ok(commands::search(config, &collection, &query, limit.into()).await?)
        }
        // Done before.
        Command::Keys { .. } | Command::Doctor { .. } | Command::Healthcheck | Command::ExtractDocument => {
            Err(Failure { message: None, code: 1 })
        }
    }
}

fn healthcheck(options: Options, file: Option<&Path>) -> ExitCode {
    let listen = match Config::listen(options, file) {
        Ok(listen) => listen,
        Err(error) => return fail(&error, 1),
    };
    match commands::healthcheck(listen) {
        Ok(line) => {
            // Its exit code is the answer, whether somebody reads this or not.
            let _ = commands::print(format_args!("{line}\n"));
            ExitCode::SUCCESS
        }
        Err(problem) => fail(&problem, 1),
    }
}

fn doctor(options: Options, file: Option<&Path>, wanted: commands::Examination) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let config = Config::load(options, file);
    let done = match runtime.block_on(commands::doctor(config, Config::file(file), wanted)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error, 1),
    };
    // A model that is still being loaded is not waited for.
    runtime.shutdown_background();
    done
}

async fn serve(config: Config) -> Result<(), Failure> {
    let (listen, data) = (config.server.listen, config.data.clone());
    let app = App::open(config).await.map_err(|error| Failure::new(&error, 1))?;
    app.check_exposure().map_err(|error| Failure::new(&error, 2))?;
    let bound = TcpListener::bind(listen).await.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    let (listener, address) = bound.map_err(|error| {
        Failure::new(&format!("cannot listen on {listen}: {error}; choose another with --listen"), 1)
    })?;
    // Before anybody learns that it is there: as the first process of a container it would miss what comes earlier.
    let told_to_stop = told_to_stop();
    commands::ServerFile::write(&data, address, app.keys.local()).map_err(|error| {
        Failure::new(&format!("{}: {error}; make it writable, and room in it", data.display()), 1)
    })?;
    app.describe_holder(&format!("process {} at http://{address}", std::process::id()));
    if let Err(error) = commands::print(format_args!("listening on http://{address}\n")) {
        tracing::debug!(%error, "nobody reads the output");
    }
    tracing::info!(upstream = app.upstream.base(), data = %data.display(), "lastro {}", env!("CARGO_PKG_VERSION"));
    if app.embeddings.is_none() {
        tracing::info!("no --embedding-model: search is by words alone");
    }
    let (holder, stopping) = (app.clone(), app.clone());
    let stop = async move {
        told_to_stop.await;
        stopping.describe_stopping();
    };
    let served = server::run(listener, app, stop).await;
    // While the folder is still held: the next process writes a file of its own.
    commands::ServerFile::remove(&data);
    drop(holder);
    served.map_err(|error| Failure::new(&error, 1))
}

/// Until Ctrl-C, or the signal by which containers are stopped: each counts from this call on, however late it is waited
/// for.
fn told_to_stop() -> impl Future<Output = ()> + Send {
    let terminated = signals(SignalKind::terminate(), "SIGTERM");
    let interrupted = signals(SignalKind::interrupt(), "SIGINT");
    async move {
        tokio::select! {
            () = next(terminated) => {}
            () = next(interrupted) => {}
        }
        tracing::info!("stopping: open answers are finished first");
    }
}

fn signals(kind: SignalKind, name: &str) -> Option<Signal> {
    match signal(kind) {
        Ok(signals) => Some(signals),
        Err(error) => {
            tracing::warn!(%error, "{name} will end the server at once");
            None
        }
    }
}

async fn next(signals: Option<Signal>) {
    match signals {
        Some(mut signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Starts the log. It is written as long as what comes back is kept.
fn start_log(config: &Config, serving: bool) -> std::io::Result<Log> {
    use tracing_subscriber::EnvFilter;
    let default = if serving { "info,tantivy=warn" } else { "error" };
    let filter = EnvFilter::try_from_env("LASTRO_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = Log::to_stderr()?;
    log.takes_panics();
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.lines())
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    if config.log_json {
        events.json().flatten_event(true).init()
    } else {
        events.init()
    }
    Ok(log)
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    commands::remark(format_args!("lastro: {error}"));
    ExitCode::from(code)
}
