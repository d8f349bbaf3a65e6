//! Settings from flags, `LASTRO_*` variables and `lastro.toml`, in this order.
//!
//! `settings` is the table of all of them. [`Options`] is what is said, `Settings` what that means, with the defaults;
//! [`Config`] is what comes of it, one part a component.

#[macro_use]
mod table;

mod addresses;
mod keys;
mod reference;
mod settings;
mod values;
mod windows;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::access::Terms;
use crate::embed::DeviceChoice;
use crate::ingest::{IngestSettings, PAUSES};
use crate::rag::RagSettings;
use crate::reading::{ExtractLimits, Parser};
use crate::store::Quota;
use crate::telemetry::TelemetrySettings;
use crate::upstream::{RerankSettings, UpstreamSettings};

pub use reference::{example, markdown};
pub use settings::Options;
pub use values::{SyncedFolder, UpstreamUrl};

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {problem}")]
    Syntax { path: PathBuf, problem: String },
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: ServerConfig,
    pub upstream: UpstreamSettings,
    pub data: PathBuf,
    pub collections: Option<PathBuf>,
    /// How long originals that no document names are kept in the trash.
    pub trash: Duration,
    pub default_collection: Option<String>,
    pub embedding: Option<EmbeddingConfig>,
    pub rag: RagSettings,
    /// The server that reranks.
    pub rerank: Option<RerankSettings>,
    pub ingest: IngestSettings,
    /// What any one collection may hold.
    pub collection_quota: Quota,
    /// Collections whose indexes are open at a time.
    pub open_collections: usize,
    /// After so long without use they are closed.
    pub close_collections_after: Duration,
    /// Keys in force beside those that the store knows.
    pub keys: Vec<Terms>,
    pub telemetry: TelemetrySettings,
    pub log_json: bool,
}

/// The listening side.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Where clients reach it, without a slash at the end.
    pub public_url: Option<String>,
    /// Bytes of a body that is read whole.
    pub max_body: usize,
    /// Bytes of all bodies together that are read whole at a time.
    pub max_bodies: usize,
    /// Bytes of one uploaded file.
    pub max_file: u64,
    pub allow_remote_without_keys: bool,
    /// Origins of web pages that may use the server, as browsers write them.
    pub cors_origins: Vec<String>,
    pub limits: Limits,
}

/// What strangers may take of the listening side.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; where the system allows fewer files, fewer.
    pub connections: usize,
    /// Requests that are answered at a time.
    pub requests: usize,
    /// For the head of a request.
    pub header_timeout: Duration,
    /// For the next piece of a request's body.
    pub body_timeout: Duration,
    /// For open answers after the server was told to stop.
    pub drain_timeout: Duration,
}

/// The embedding model.
#[derive(Clone, Debug)]
pub struct EmbeddingConfig {
    pub folder: PathBuf,
    pub device: DeviceChoice,
}

impl Config {
    /// Reads the file, which must exist where it is named, and checks everything.
    pub fn load(options: Options, file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::resolve(with_file(options, file)?)
    }

    /// The file that is read: the one that is named, or the usual one where that is there.
    pub fn file(named: Option<&Path>) -> Option<&Path> {
        let default = Path::new("lastro.toml");
        named.or_else(|| default.exists().then_some(default))
    }

    /// The address to listen on alone, whatever may be wrong with the rest.
    pub fn listen(options: Options, file: Option<&Path>) -> Result<SocketAddr, ConfigError> {
        let listen = match options.listen {
            Some(listen) => Some(listen),
            None => with_file(options, file)?.listen,
        };
        let alone = Options { listen, ..Options::default() };
        Ok(alone.check()?.listen)
    }

    fn resolve(options: Options) -> Result<Self, ConfigError> {
        let s = options.check()?;
        if s.max_bodies_mib < s.max_body_mib {
            let problem = "must be at least max_body_mib: no body of that size would have room";
            return Err(ConfigError::Value { key: "max_bodies_mib", problem: problem.to_owned() });
        }
        let program =
            this_program().map_err(|source| ConfigError::Io { path: "this program".into(), source })?;
        let usual = || Some(PathBuf::from("collections")).filter(|folder| folder.is_dir());
        Ok(Self {
            server: ServerConfig {
                listen: s.listen,
                public_url: s.public_url,
                max_body: s.max_body_mib as usize,
                max_bodies: s.max_bodies_mib as usize,
                max_file: s.max_file_mib,
                allow_remote_without_keys: s.allow_remote_without_keys,
                cors_origins: s.cors_origins.unwrap_or_default(),
                limits: Limits {
                    connections: s.max_connections,
                    requests: s.max_requests,
                    header_timeout: s.header_timeout,
                    body_timeout: s.body_timeout,
                    drain_timeout: s.drain_timeout,
                },
            },
            upstream: UpstreamSettings {
                base: s.upstream,
                key: s.upstream_key,
                window: s.window,
                windows: s.windows.unwrap_or_default(),
                connect_timeout: s.upstream_connect_timeout,
                header_timeout: s.upstream_header_timeout,
                idle_timeout: s.upstream_idle_timeout,
                keep_alive: s.upstream_keep_alive,
                most_idle: s.max_requests,
            },
            data: s.data,
            collections: s.collections.or_else(usual),
            trash: s.trash_days,
            default_collection: s.default_collection,
            embedding: s.embedding_model.map(|folder| EmbeddingConfig { folder, device: s.device }),
            rag: RagSettings { passages: s.passages, deadline: s.retrieval_timeout_ms },
            rerank: s.rerank_upstream.map(|(base, api)| RerankSettings {
                base,
                api,
                model: s.rerank_model,
                key: s.rerank_key,
                timeout: s.rerank_timeout_ms,
                depth: s.rerank_passages,
            }),
            ingest: IngestSettings {
                parser: Parser {
                    program,
                    limits: ExtractLimits {
                        timeout: s.parse_timeout,
                        memory_bytes: s.parse_memory_mib,
                        ..ExtractLimits::default()
                    },
                    pdfium: s.pdfium,
                },
                pauses: PAUSES.to_vec(),
            },
            collection_quota: Quota {
                documents: s.collection_documents,
                bytes: s.collection_mib,
                chunks: s.collection_chunks,
            },
            open_collections: s.open_collections,
            close_collections_after: s.close_collections_after,
            keys: s.keys.unwrap_or_default(),
            telemetry: TelemetrySettings {
                log_requests: s.log_requests,
                log_questions: s.log_questions,
                otlp_endpoint: s.otlp_endpoint,
            },
            log_json: s.log_json,
        })
    }
}

fn with_file(options: Options, file: Option<&Path>) -> Result<Options, ConfigError> {
    Ok(match Config::file(file) {
        Some(path) => options.or(read(path)?),
        None => options,
    })
}

fn read(path: &Path) -> Result<Options, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|error| ConfigError::Syntax { path: path.to_owned(), problem: error.to_string() })
}

/// The program as it runs, also where its file was replaced meanwhile.
fn this_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

#[cfg(test)]
mod tests {
    use super::values::{Passages, Tokens};
    use super::*;

    fn config(toml: &str) -> Result<Config, String> {
        let options: Options = toml::from_str(toml).map_err(|e| e.to_string())?;
        Config::resolve(options).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_readme() {
        let config = config("").expect("defaults");
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.upstream.base, "http://127.0.0.1:8000/v1");
        assert_eq!(config.data, Path::new("data"));
        assert!(config.embedding.is_none() && config.default_collection.is_none());
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, says) in [
            ("listne = \"127.0.0.1:1\"", "listne"),
            ("cors_origins = [\"*\"]", "no origin"),
            ("upstream = \"localhost:8000\"", "upstream"),
            ("upstream = \"http://localhost:8000\"", "/v1"),
            ("rerank_upstream = \"localhost:8001\"", "rerank_upstream"),
            ("rerank_upstream = \"http://h/v1?x\"", "rerank_upstream"),
            ("header_timeout = 0", "more than 0"),
            ("passages = 0", "more than 0"),
            ("passages = 51", "at most 50"),
            ("max_file_mib = 0", "more than 0"),
            ("trash_days = 36501", "too much"),
            ("max_body_mib = 100\nmax_bodies_mib = 99", "at least max_body_mib"),
            ("collections = \"/nonexistent\"", "not a folder"),
            ("device = \"gpu\"", "auto"),
            ("windows = { \"m\" = 0 }", "\"m\""),
            ("windows = { \"m\" = \"many\" }", "u64"),
        ] {
            let error = config(toml).expect_err(toml);
            assert!(error.contains(says), "{toml}: {error}");
        }
        // Whether that is safe depends on the keys, which are in the store.
        assert!(config("listen = \"0.0.0.0:8080\"").is_ok());
        let pages =
            config("cors_origins = [\"http://localhost:3000\", \"https://a.example\"]").expect("origins");
        assert_eq!(pages.server.cors_origins.len(), 2);
    }

    #[test]
    fn flags_go_before_the_file() {
        let file: Options = toml::from_str("passages = 3\nwindow = 9").expect("options");
        let flags = Options { passages: Some(Passages(5)), ..Options::default() };
        let both = flags.or(file);
        assert_eq!((both.passages, both.window), (Some(Passages(5)), Some(Tokens(9))));
    }
}
