//! Every setting: a flag, a `LASTRO_*` variable and a key of `lastro.toml` each. This is the only place where one is
//! written: its help, its default, `lastro.example.toml` and `docs/settings.md` come from here.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::values::{
    Count, Days, KeyEntry, Mib, Milliseconds, Most, Origin, Passages, PublicUrl, RerankUrl, Seconds,
    SyncedFolder, Tokens, UpstreamKey, UpstreamUrl,
};
use super::windows::Windows;
use crate::embed::DeviceChoice;

settings! {
"Listening" {
    /// Address to listen on.
    ///
    /// Any other than this machine's own is refused as long as there is no key (`lastro keys create`, or `keys`), unless
    /// `allow_remote_without_keys` says so. lastro speaks plain HTTP: put TLS in front of it.
    listen: SocketAddr = "127.0.0.1:8080";

    /// Address under which clients reach this server, for links to documents.
    ///
    /// It is what stands before `/v1`. Behind a proxy that speaks TLS, set it.
    public_url: PublicUrl, or "http:// and the request's Host", as r#""https://rag.example.com""#;

    /// Keys that hold while the server runs with them, beside those of `lastro keys create`: KEY:SCOPE,... each.
    ///
    /// For deployments that inject secrets. Each key sees all collections; the scopes are `chat`, `relay`, `ingest`,
    /// `metrics` and `admin`. `lastro keys generate` prints a KEY. In the variable they are separated by spaces or line
    /// breaks: `LASTRO_KEYS="$A:admin $B:chat,ingest"`. Nothing of them is stored but their id.
    #[arg(hide_env_values = true)]
    keys: Vec<KeyEntry>, or "none", as r#"["sk-lastro-...:admin", "sk-lastro-...:chat,ingest"]"#;

    /// Serve other machines although there are no keys: whoever reaches the address may do everything.
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    allow_remote_without_keys: bool = false;

    /// Origins of web pages that may use the server from a browser.
    ///
    /// No other page can; cookies play no part. In the variable they are separated by commas.
    #[arg(value_delimiter = ',')]
    cors_origins: Vec<Origin>, or "none", as r#"["https://chat.example.org"]"#;
}

"The LLM server" {
    /// OpenAI address of the LLM server.
    ///
    /// It ends in `/v1`. Behind `https://` the server is checked against the system's certificates (`SSL_CERT_FILE` names
    /// others).
    upstream: UpstreamUrl = "http://127.0.0.1:8000/v1";

    /// Key that the LLM server asks for.
    ///
    /// It replaces the client's `Authorization` header and never reaches clients.
    #[arg(hide_env_values = true)]
    upstream_key: UpstreamKey, or "none", as r#""secret""#;

    /// Tokens of every model's window, whatever the LLM server says.
    ///
    /// Most servers state it in `/v1/models` (vLLM, SGLang, llama.cpp, OpenRouter, LiteLLM and others).
    window: Tokens, or "what the LLM server says, or else 4096", as "8192";

    /// Tokens of single models' windows, as in qwen3-8b=32768,llama3:8b=8192.
    ///
    /// A model is named as clients ask for it. These go before `window`.
    windows: Windows, or "none", as r#"{ "qwen3-8b" = 32768, "llama3:8b" = 8192 }"#;

    /// Seconds to connect to the LLM server.
    ///
    /// After that the client gets 504 `upstream_connect_timeout`.
    upstream_connect_timeout: Seconds = 5;

    /// Seconds for the LLM server to begin its answer.
    ///
    /// An answer that is not streamed begins when it is whole. After that the client gets 504 `upstream_header_timeout`.
    upstream_header_timeout: Seconds = 600;

    /// Seconds of silence in the middle of an answer.
    ///
    /// After that the answer breaks off, and the log says why.
    upstream_idle_timeout: Seconds = 300;

    /// Seconds for which an idle connection to the LLM server may be used again.
    ///
    /// Keep it below the LLM server's own keep-alive (vLLM and llama.cpp: 5): a request that meets the closing is lost,
    /// since it may have been read and is not sent twice.
    upstream_keep_alive: Seconds = 3;
}

"Answers from documents" {
    /// Collection for chats that name none.
    default_collection: String, or "none, and such chats are relayed as they are", as r#""handbook""#;

    /// Most passages given to the model.
    ///
    /// Fewer where the next adds nothing or its window has no room; 50 at most.
    passages: Passages = 8;

    /// Milliseconds after which retrieval is given up.
    ///
    /// Where embedding the question takes more than half of it, the search is by words alone.
    retrieval_timeout_ms: Milliseconds = 5000;

    /// Folder of a BERT-type embedding model.
    ///
    /// It holds `config.json`, `tokenizer.json` and `model.safetensors`.
    embedding_model: PathBuf, or "none, and search is by words alone", as r#"".tools/models/multilingual-e5-small""#;

    /// Where embeddings are computed: auto, cpu or cuda.
    ///
    /// `auto` is a GPU if this build and machine have one. On the CPU, the model takes the processors that the process was
    /// given, or as many as `RAYON_NUM_THREADS` says.
    device: DeviceChoice = "auto";

    /// Server that puts the best passages of a search into the order of a reranking model.
    ///
    /// An address that ends in `/v1` or `/v2` is asked at `/rerank` as vLLM, Jina and Cohere answer it; one that ends in
    /// `/score` as vLLM does; any other, such as `http://127.0.0.1:8082`, at `/rerank` as text-embeddings-inference does.
    /// That server is sent questions and the text of passages. `lastro eval` shows what it gains.
    rerank_upstream: RerankUrl, or "none, and passages stay in the order of the search", as r#""http://127.0.0.1:8001/v1""#;

    /// Model that reranks.
    rerank_model: String, or "the server's own", as r#""BAAI/bge-reranker-v2-m3""#;

    /// Key that the reranking server asks for.
    #[arg(hide_env_values = true)]
    rerank_key: UpstreamKey, or "none", as r#""secret""#;

    /// Milliseconds after which passages stay in the order of the search.
    ///
    /// The same holds where the server fails. It is not asked again for five seconds then.
    rerank_timeout_ms: Milliseconds = 1000;

    /// Passages of a search that are reranked.
    rerank_passages: Passages = 32;
}

"Documents" {
    /// Folder for everything that is kept: documents, vectors, indexes.
    ///
    /// One process at a time, on a disk of its machine or a block volume, never on a bucket or a network file system. The
    /// folder above it must exist, so that a disk that is not mounted is an error and not a new, empty store.
    data: PathBuf = "data";

    /// Folder of synced collections: a subfolder each.
    ///
    /// A subfolder holds documents and an optional `collection.toml`. A folder that is found empty is taken for a mount
    /// that is missing: what was synced from it is kept. A file named `.empty` in it says that it is meant to be empty, and
    /// then its documents are removed. The same holds for each subfolder.
    collections: SyncedFolder, or "./collections if it exists", as r#""collections""#;

    /// Days that originals which no document names stay in the trash before they are removed.
    ///
    /// A crash may leave such originals, and so may another database put in the place of this one; `trash` is in the data
    /// folder. What you delete is removed at once, and does not go there.
    trash_days: Days = 7;

    /// Largest file in MiB.
    max_file_mib: Mib = 256;

    /// Documents that any one collection may hold.
    ///
    /// One more is 403 `quota_exceeded`.
    collection_documents: Most, or "no limit", as "10000";

    /// MiB of files that any one collection may hold.
    collection_mib: Mib, or "no limit", as "4096";

    /// Passages that any one collection may hold.
    ///
    /// A document with too many fails and says so.
    collection_chunks: Most, or "no limit", as "1000000";

    /// Collections whose indexes are open at a time.
    ///
    /// One that is asked while it is closed is opened by that, which takes a millisecond or two for a hundred passages; the
    /// one that was used least lately is closed for it. Fewer are open where the system's `vm.max_map_count` allows no more,
    /// or where their vectors would take more than half of the memory.
    open_collections: Count = 512;

    /// Seconds after which the indexes of a collection are closed that nobody used.
    ///
    /// The memory that its vectors take is free then.
    close_collections_after: Seconds = 3600;

    /// Seconds that reading one file may take.
    parse_timeout: Seconds = 60;

    /// Memory in MiB that reading one file may take.
    parse_memory_mib: Mib = 1024;

    /// PDFium's library.
    pdfium: PathBuf, or "beside the program, in .tools/pdfium or on the system's library path", as r#""/usr/lib/libpdfium.so""#;
}

"Limits of requests" {
    /// Connections of clients at a time.
    ///
    /// One more takes the place of the one that has waited longest without a request.
    max_connections: Count = 8192;

    /// Requests answered at a time, streams included.
    ///
    /// One more gets 429 `too_many_requests` and `Retry-After`; `/health` and `/ready` do not count.
    max_requests: Count = 1024;

    /// Seconds for the head of a request.
    ///
    /// After that the connection is closed.
    header_timeout: Seconds = 10;

    /// Seconds for the next piece of a request's body.
    ///
    /// After that the client gets 408 `request_timeout`.
    body_timeout: Seconds = 30;

    /// Largest request body in MiB, uploads apart.
    ///
    /// A larger one gets 413 `too_large`.
    max_body_mib: Mib = 16;

    /// MiB of all request bodies together while they are read and sent on.
    ///
    /// One more gets 429 `too_many_requests` and `Retry-After: 1`. At least `max_body_mib`.
    max_bodies_mib: Mib = 512;

    /// Seconds for open answers after the server was told to stop.
    ///
    /// On SIGTERM new connections are refused, and what is still open after this time is cut off.
    drain_timeout: Seconds = 30;
}

"Log and traces" {
    /// Write a line of the log for each request.
    ///
    /// It says what the request was, how it ended and how long it took, and holds no text of it. `LASTRO_LOG` sets the level
    /// of the log.
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    log_requests: bool = true;

    /// Put what was searched for into a request's line of the log and into traces.
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    log_questions: bool = false;

    /// Write the log as JSON.
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    log_json: bool = false;

    /// OpenTelemetry collector to send traces to, as OTLP over HTTP.
    ///
    /// `/v1/traces` is added to the address. The standard `OTEL_*` variables work too.
    otlp_endpoint: String, or "what OTEL_EXPORTER_OTLP_ENDPOINT says, or none", as r#""http://127.0.0.1:4318""#;
}
}
