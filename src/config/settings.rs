//! Everything that can be set: each option is a flag, a `LASTRO_*` variable and a key of `lastro.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Windows;
use crate::embed::DeviceChoice;

macro_rules! options {
    ($($(#[$attribute:meta])* $name:ident: $kind:ty,)*) => {
        /// What can be set. Everything is optional.
        #[derive(Clone, Debug, Default, clap::Args, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Options {
            $($(#[$attribute])* pub $name: Option<$kind>,)*
        }

        impl Options {
            /// These, and the others where these say nothing.
            pub(super) fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }
        }
    };
}

options! {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "LASTRO_LISTEN", global = true)]
    listen: SocketAddr,
    /// Address under which clients reach this server, for links to documents [default: http:// and the request's Host]
    #[arg(long, env = "LASTRO_PUBLIC_URL", global = true)]
    public_url: String,
    /// The LLM server's OpenAI address [default: http://127.0.0.1:8000/v1]
    #[arg(long, env = "LASTRO_UPSTREAM", global = true)]
    upstream: String,
    /// Key that the LLM server asks for; sent in place of the client's
    #[arg(long, env = "LASTRO_UPSTREAM_KEY", hide_env_values = true, global = true)]
    upstream_key: String,
    /// Tokens of the window of every model, whatever the LLM server tells [default: what it tells, or 4096]
    #[arg(long, env = "LASTRO_WINDOW", global = true)]
    window: u64,
    /// Tokens of the windows of single models, as in qwen3-8b=32768,llama3=8192; these go before --window
    #[arg(long, env = "LASTRO_WINDOWS", global = true)]
    windows: Windows,
    /// Folder for everything that is kept [default: ./data]
    #[arg(long, env = "LASTRO_DATA", global = true)]
    data: PathBuf,
    /// Folder of synced collections, a subfolder each [default: ./collections if it exists]
    #[arg(long, env = "LASTRO_COLLECTIONS", global = true)]
    collections: PathBuf,
    /// Days that originals which no document names stay in the trash before they are removed [default: 7]
    #[arg(long, env = "LASTRO_TRASH_DAYS", global = true)]
    trash_days: u64,
    /// Collection for chats that name none [default: none, a plain relay]
    #[arg(long, env = "LASTRO_DEFAULT_COLLECTION", global = true)]
    default_collection: String,
    /// Folder of a BERT-type embedding model [default: none, search by words alone]
    #[arg(long, env = "LASTRO_EMBEDDING_MODEL", global = true)]
    embedding_model: PathBuf,
    /// Where embeddings are computed: auto, cpu or cuda [default: auto]
    #[arg(long, env = "LASTRO_DEVICE", global = true, value_parser = parse_device)]
    device: DeviceChoice,
    /// Passages given to the model [default: 8]
    #[arg(long, env = "LASTRO_PASSAGES", global = true)]
    passages: usize,
    /// Seconds for a connection to the LLM server [default: 5]
    #[arg(long, env = "LASTRO_UPSTREAM_CONNECT_TIMEOUT", global = true)]
    upstream_connect_timeout: u64,
    /// Seconds for the LLM server to begin an answer; one that is not streamed begins when it is whole [default: 600]
    #[arg(long, env = "LASTRO_UPSTREAM_HEADER_TIMEOUT", global = true)]
    upstream_header_timeout: u64,
    /// Seconds of silence in the middle of an answer [default: 300]
    #[arg(long, env = "LASTRO_UPSTREAM_IDLE_TIMEOUT", global = true)]
    upstream_idle_timeout: u64,
    /// Seconds that an idle connection to the LLM server is used again: fewer than it keeps them [default: 3]
    #[arg(long, env = "LASTRO_UPSTREAM_KEEP_ALIVE", global = true)]
    upstream_keep_alive: u64,
    /// Milliseconds after which retrieval is given up [default: 5000]
    #[arg(long, env = "LASTRO_RETRIEVAL_TIMEOUT_MS", global = true)]
    retrieval_timeout_ms: u64,
    /// Connections of clients at a time; a new one takes the place of the one that waited longest [default: 8192]
    #[arg(long, env = "LASTRO_MAX_CONNECTIONS", global = true)]
    max_connections: usize,
    /// Requests answered at a time; more get 429 [default: 1024]
    #[arg(long, env = "LASTRO_MAX_REQUESTS", global = true)]
    max_requests: usize,
    /// Seconds for the head of a request [default: 10]
    #[arg(long, env = "LASTRO_HEADER_TIMEOUT", global = true)]
    header_timeout: u64,
    /// Seconds for the next piece of a request's body [default: 30]
    #[arg(long, env = "LASTRO_BODY_TIMEOUT", global = true)]
    body_timeout: u64,
    /// Seconds for open answers after the server was told to stop [default: 30]
    #[arg(long, env = "LASTRO_DRAIN_TIMEOUT", global = true)]
    drain_timeout: u64,
    /// Largest request body in MiB, uploads apart [default: 16]
    #[arg(long, env = "LASTRO_MAX_BODY_MIB", global = true)]
    max_body_mib: usize,
    /// MiB of all request bodies together that are read whole at a time; more get 429 [default: 512]
    #[arg(long, env = "LASTRO_MAX_BODIES_MIB", global = true)]
    max_bodies_mib: usize,
    /// Largest file in MiB [default: 256]
    #[arg(long, env = "LASTRO_MAX_FILE_MIB", global = true)]
    max_file_mib: usize,
    /// Documents that any one collection may hold [default: no limit]
    #[arg(long, env = "LASTRO_COLLECTION_DOCUMENTS", global = true)]
    collection_documents: usize,
    /// MiB of files that any one collection may hold [default: no limit]
    #[arg(long, env = "LASTRO_COLLECTION_MIB", global = true)]
    collection_mib: usize,
    /// Passages that any one collection may hold [default: no limit]
    #[arg(long, env = "LASTRO_COLLECTION_CHUNKS", global = true)]
    collection_chunks: usize,
    /// Seconds that reading one file may take [default: 60]
    #[arg(long, env = "LASTRO_PARSE_TIMEOUT", global = true)]
    parse_timeout: u64,
    /// Memory in MiB that reading one file may take [default: 1024]
    #[arg(long, env = "LASTRO_PARSE_MEMORY_MIB", global = true)]
    parse_memory_mib: u64,
    /// PDFium's library, where it is not in one of the usual places
    #[arg(long, env = "LASTRO_PDFIUM", global = true)]
    pdfium: PathBuf,
    /// Serve other machines although there are no keys: everybody who reaches the address may do everything
    #[arg(long, env = "LASTRO_ALLOW_REMOTE_WITHOUT_KEYS", global = true, num_args = 0..=1, default_missing_value = "true")]
    allow_remote_without_keys: bool,
    /// Keys that hold while the server runs with them, each KEY:SCOPE,... with a KEY of `lastro keys generate`, with spaces between them
    #[arg(long, env = "LASTRO_KEYS", hide_env_values = true, global = true)]
    keys: Vec<String>,
    /// Origins of web pages that may use the server from a browser, with commas between them [default: none]
    #[arg(long, env = "LASTRO_CORS_ORIGINS", global = true, value_delimiter = ',')]
    cors_origins: Vec<String>,
    /// A line of the log for each request [default: true]
    #[arg(long, env = "LASTRO_LOG_REQUESTS", global = true, num_args = 0..=1, default_missing_value = "true")]
    log_requests: bool,
    /// What was searched for goes into the log and into traces
    #[arg(long, env = "LASTRO_LOG_QUESTIONS", global = true, num_args = 0..=1, default_missing_value = "true")]
    log_questions: bool,
    /// OpenTelemetry collector to send traces to, as OTLP over HTTP; the OTEL_* variables work too
    #[arg(long, env = "LASTRO_OTLP_ENDPOINT", global = true)]
    otlp_endpoint: String,
    /// Log lines as JSON
    #[arg(long, env = "LASTRO_LOG_JSON", global = true, num_args = 0..=1, default_missing_value = "true")]
    log_json: bool,
}

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    match text {
        "auto" => Ok(DeviceChoice::Auto),
        "cpu" => Ok(DeviceChoice::Cpu),
        "cuda" => Ok(DeviceChoice::Cuda),
        _ => Err("must be auto, cpu or cuda".to_owned()),
    }
}
