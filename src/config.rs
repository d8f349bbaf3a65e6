//! Settings from flags, `LASTRO_*` variables and `lastro.toml`, in this order.
//!
//! [`Options`] is all three at once: every field is a flag, a variable and a key. [`Config`] is what comes of them, one part a component.

mod keys;
mod settings;
mod windows;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::access::Terms;
use crate::embed::DeviceChoice;
use crate::ingest::{IngestSettings, PAUSES};
use crate::rag::RagSettings;
use crate::reading::{ExtractLimits, Parser};
use crate::store::Quota;
use crate::telemetry::TelemetrySettings;
use crate::upstream::UpstreamSettings;

pub use settings::Options;
pub use windows::Windows;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

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
    pub ingest: IngestSettings,
    /// What any one collection may hold.
    pub collection_quota: Quota,
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
        Ok(match options.listen {
            Some(listen) => listen,
            None => with_file(options, file)?.listen.unwrap_or(DEFAULT_LISTEN),
        })
    }

    fn resolve(o: Options) -> Result<Self, ConfigError> {
        let upstream = upstream(&o)?;
        let limits = Limits {
            connections: positive("max_connections", o.max_connections, 8_192)?,
            requests: positive("max_requests", o.max_requests, 1_024)?,
            header_timeout: seconds("header_timeout", o.header_timeout, 10)?,
            body_timeout: seconds("body_timeout", o.body_timeout, 30)?,
            drain_timeout: seconds("drain_timeout", o.drain_timeout, 30)?,
        };
        let max_body = positive("max_body_mib", o.max_body_mib, 16)? << 20;
        let max_bodies = positive("max_bodies_mib", o.max_bodies_mib, 512)? << 20;
        if max_bodies < max_body {
            return Err(value(
                "max_bodies_mib",
                "must be at least max_body_mib: no body of that size would have room",
            ));
        }
        let listen = o.listen.unwrap_or(DEFAULT_LISTEN);
        let allow_remote_without_keys = o.allow_remote_without_keys.unwrap_or(false);
        let max_file = positive("max_file_mib", o.max_file_mib, 256)? << 20;
        let parsing = ExtractLimits {
            timeout: seconds("parse_timeout", o.parse_timeout, 60)?,
            memory_bytes: (positive("parse_memory_mib", o.parse_memory_mib.map(|m| m as usize), 1024)?
                as u64)
                << 20,
            ..ExtractLimits::default()
        };
        let program =
            this_program().map_err(|source| ConfigError::Io { path: "this program".into(), source })?;
        let passages = o.passages.unwrap_or(8);
        if !(1..=50).contains(&passages) {
            return Err(value("passages", "must be 1 to 50"));
        }
        let collections = match o.collections {
            Some(folder) if !folder.is_dir() => {
                let problem = format!(
                    "{} is not a folder: make it, mount what should be there, or leave the setting out; what was synced from it is kept",
                    folder.display()
                );
                return Err(value("collections", problem));
            }
            None => Some(PathBuf::from("collections")).filter(|folder| folder.is_dir()),
            folder => folder,
        };
        Ok(Self {
            server: ServerConfig {
                listen,
                public_url: o.public_url.as_deref().map(public_url).transpose()?,
                max_body,
                max_bodies,
                max_file: max_file as u64,
                allow_remote_without_keys,
                cors_origins: origins(o.cors_origins.unwrap_or_default())?,
                limits,
            },
            upstream,
            data: o.data.unwrap_or_else(|| "data".into()),
            collections,
            trash: days("trash_days", o.trash_days, 7)?,
            default_collection: o.default_collection.filter(|name| !name.is_empty()),
            embedding: o
                .embedding_model
                .filter(|folder| !folder.as_os_str().is_empty())
                .map(|folder| EmbeddingConfig { folder, device: o.device.unwrap_or_default() }),
            rag: RagSettings {
                passages,
                deadline: Duration::from_millis(positive(
                    "retrieval_timeout_ms",
                    o.retrieval_timeout_ms.map(|m| m as usize),
                    5_000,
                )? as u64),
            },
            collection_quota: Quota {
                documents: most("collection_documents", o.collection_documents)?,
                bytes: most("collection_mib", o.collection_mib)?.map(|mib| mib << 20),
                chunks: most("collection_chunks", o.collection_chunks)?,
            },
            ingest: IngestSettings {
                parser: Parser { program, limits: parsing, pdfium: o.pdfium },
                pauses: PAUSES.to_vec(),
            },
            keys: keys::read(&o.keys.unwrap_or_default())?,
            telemetry: TelemetrySettings {
                log_requests: o.log_requests.unwrap_or(true),
                log_questions: o.log_questions.unwrap_or(false),
                otlp_endpoint: o.otlp_endpoint.filter(|url| !url.is_empty()),
            },
            log_json: o.log_json.unwrap_or(false),
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

fn value(key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, problem: problem.into() }
}

fn positive(key: &'static str, found: Option<usize>, default: usize) -> Result<usize, ConfigError> {
    match found.unwrap_or(default) {
        0 => Err(value(key, "must be more than 0")),
        // 16 TiB, or half a million years: a slip, and it would overflow further on.
        huge if huge > 1 << 24 => Err(value(key, format!("{huge} is too much"))),
        found => Ok(found),
    }
}

fn most(key: &'static str, found: Option<usize>) -> Result<Option<u64>, ConfigError> {
    found.map(|found| Ok(positive(key, Some(found), 1)? as u64)).transpose()
}

fn seconds(key: &'static str, found: Option<u64>, default: u64) -> Result<Duration, ConfigError> {
    let found = found.map(|seconds| usize::try_from(seconds).unwrap_or(usize::MAX));
    Ok(Duration::from_secs(positive(key, found, default as usize)? as u64))
}

fn days(key: &'static str, found: Option<u64>, default: u64) -> Result<Duration, ConfigError> {
    match found.unwrap_or(default) {
        // A century: a slip, and it would overflow further on.
        huge if huge > 36_500 => Err(value(key, format!("{huge} is too much"))),
        days => Ok(Duration::from_secs(days * 86_400)),
    }
}

fn public_url(url: &str) -> Result<String, ConfigError> {
    let bad = |problem: &str| value("public_url", format!("{url} {problem}"));
    let parsed = reqwest::Url::parse(url).map_err(|error| bad(&format!("is no address: {error}")))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(bad("must begin with http:// or https://"));
    }
    if parsed.query().is_some()
        || parsed.fragment().is_some()
        || parsed.path().trim_end_matches('/').ends_with("/v1")
    {
        return Err(bad("must be what stands before /v1, as in https://rag.example.com"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// Checked: what a browser would never send would never match.
fn origins(origins: Vec<String>) -> Result<Vec<String>, ConfigError> {
    for origin in &origins {
        let url = reqwest::Url::parse(origin).ok();
        let written = url.filter(|url| matches!(url.scheme(), "http" | "https")).map(|url| url.origin());
        if written.map(|written| written.ascii_serialization()).as_deref() != Some(origin) {
            let problem = format!(
                "{origin:?} is no origin: write scheme, host and port alone, as in https://chat.example.org"
            );
            return Err(value("cors_origins", problem));
        }
    }
    Ok(origins)
}

fn upstream(o: &Options) -> Result<UpstreamSettings, ConfigError> {
    let base = o.upstream.as_deref().unwrap_or("http://127.0.0.1:8000/v1");
    let base = base.trim_end_matches('/').to_owned();
    let url = reqwest::Url::parse(&base).map_err(|error| value("upstream", format!("{base}: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(value("upstream", format!("{base} must begin with http:// or https://")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(value("upstream", "must not hold a name or a password: keys belong into upstream_key"));
    }
    if !url.path().ends_with("/v1") || url.query().is_some() || url.fragment().is_some() {
        return Err(value("upstream", format!("{base} must end in /v1, as in http://127.0.0.1:8000/v1")));
    }
    let key = match o.upstream_key.as_deref().filter(|key| !key.is_empty()) {
        None => None,
        Some(key) => {
            let mut header = http::HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| value("upstream_key", "holds characters that no header can carry"))?;
            header.set_sensitive(true);
            Some(header)
        }
    };
    if o.window == Some(0) {
        return Err(value("window", "must be more than 0"));
    }
    Ok(UpstreamSettings {
        base,
        key,
        window: o.window,
        windows: o.windows.clone().unwrap_or_default().read()?,
        connect_timeout: seconds("upstream_connect_timeout", o.upstream_connect_timeout, 5)?,
        header_timeout: seconds("upstream_header_timeout", o.upstream_header_timeout, 600)?,
        idle_timeout: seconds("upstream_idle_timeout", o.upstream_idle_timeout, 300)?,
        // vLLM (uvicorn) and llama.cpp close theirs after 5 seconds. A request that meets the closing is lost: it may
        // have been read, so it is not sent twice.
        keep_alive: seconds("upstream_keep_alive", o.upstream_keep_alive, 3)?,
        most_idle: positive("max_requests", o.max_requests, 1_024)?,
    })
}

#[cfg(test)]
mod tests {
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
            ("cors_origins = [\"https://a.example/\"]", "no origin"),
            ("cors_origins = [\"HTTPS://a.example\"]", "no origin"),
            ("cors_origins = [\"null\"]", "no origin"),
            ("upstream = \"localhost:8000\"", "upstream"),
            ("upstream = \"http://localhost:8000\"", "/v1"),
            ("upstream = \"http://u:p@localhost:8000/v1\"", "upstream_key"),
            ("upstream = \"http://localhost:8000/v1?x=/v1\"", "end in /v1"),
            ("header_timeout = 0", "more than 0"),
            ("passages = 0", "1 to 50"),
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
    fn the_public_address_is_what_stands_before_v1() {
        let url = |url: &str| {
            let options = Options { public_url: Some(url.to_owned()), ..Options::default() };
            Config::resolve(options).ok().and_then(|config| config.server.public_url)
        };
        assert_eq!(url("https://rag.example.com/").as_deref(), Some("https://rag.example.com"));
        assert_eq!(url("http://h:1/team/").as_deref(), Some("http://h:1/team"));
        for bad in
            ["rag.example.com", "ftp://h", "http://h/v1", "http://h/v1/", "http://h?x", "http://h#x", ""]
        {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn flags_go_before_the_file() {
        let file: Options = toml::from_str("passages = 3\nwindow = 9").expect("options");
        let flags = Options { passages: Some(5), ..Options::default() };
        let both = flags.or(file);
        assert_eq!((both.passages, both.window), (Some(5), Some(9)));
    }

    #[test]
    fn the_example_explains_every_key() {
        let example = include_str!("../lastro.example.toml");
        let uncommented: String = example
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).or(Some(line)))
            .filter(|line| line.contains(" = ") && !line.starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect();
        let table: toml::Table = toml::from_str(&uncommented).expect("the example is TOML");
        toml::from_str::<Options>(&uncommented).expect("the example's keys are options");
        let all = include_str!("config/settings.rs").matches("env = \"LASTRO_").count();
        assert_eq!(table.len(), all, "every option is in the example");
    }
}
