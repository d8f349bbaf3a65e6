//! One server, the LLM server behind it and a client, all in the test's process and on loopback.
//!
//! ```text
//! client (raw socket) -> lastro (the real server, a temporary data folder) -> Upstream (a script on a raw socket)
//! ```
//! Nothing is timed: every wait ends with what it waits for, and fails loudly after [`DEADLINE`].

pub mod client;
pub mod model;
pub mod program;
pub mod property;
pub mod upstream;

use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lastro::app::App;
use lastro::config::{Config, Options, SyncedFolder, UpstreamUrl};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use client::{Broken, Reply, Request, Response};
pub use upstream::{Piece, Upstream};

/// What a busy machine may need. A test that passes never waits this long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The outcome of a future that must come within [`DEADLINE`].
#[track_caller]
pub fn within<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = Location::caller();
    async move {
        match tokio::time::timeout(DEADLINE, work).await {
            Ok(outcome) => outcome,
            Err(_) => panic!("{place}: it did not happen in time"),
        }
    }
}

/// Asks again and again until there is something.
#[track_caller]
pub fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> impl Future<Output = T> {
    within(async move {
        loop {
            match ask().await {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
}

/// The answer to a request, as soon as there is room for it.
pub async fn admitted(request: &Request, address: SocketAddr) -> Response {
    eventually(|| async {
        let response = request.send(address).await;
        (response.status == 200).then_some(response)
    })
    .await
}

/// The world of one test.
pub struct World {
    pub upstream: Upstream,
    pub address: SocketAddr,
    folder: TempDir,
    options: String,
    /// Settings that no option has.
    adjust: fn(&mut Config),
    server: Option<Server>,
    /// The running server's local key, which may do everything.
    pub local_key: String,
}

struct Server {
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl World {
    /// A server with these lines of `lastro.toml` beyond its folders and its upstream.
    pub async fn start(options: &str) -> Self {
        Self::start_with(options, |_| {}).await
    }

    /// The same, with a collection `manual` of one document.
    pub async fn with_manual(options: &str) -> Self {
        let world = Self::start(options).await;
        world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
        world
    }

    /// The same, with something put into its folder of synced collections first.
    pub async fn start_with(options: &str, prepare: impl FnOnce(&Path)) -> Self {
        let mut world = Self::prepared(options).await;
        prepare(&world.collections());
        world.run().await;
        world
    }

    /// Everything but the server.
    pub async fn prepared(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("collections")).expect("a folder");
        let upstream = Upstream::start().await;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            upstream,
            address,
            folder,
            options: options.to_owned(),
            adjust: |_| {},
            server: None,
            local_key: String::new(),
        }
    }

    /// The folder of synced collections.
    pub fn collections(&self) -> PathBuf {
        self.folder.path().join("collections")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server is started with.
    pub fn config(&self) -> Config {
        let options: Options = toml::from_str(&self.options).expect("options");
        let options = Options {
            upstream: options.upstream.or(Some(UpstreamUrl(format!("http://{}/v1", self.upstream.address)))),
            data: Some(self.data()),
            collections: Some(SyncedFolder(self.collections())),
            ..options
        };
        let mut config = Config::load(options, None).expect("settings");
        config.ingest.parser.program = env!("CARGO_BIN_EXE_lastro").into();
        (self.adjust)(&mut config);
        config
    }

    /// Changes what no option can, from the next start on.
    pub fn adjust(&mut self, adjust: fn(&mut Config)) {
        self.adjust = adjust;
    }

    /// Opens the app, waiting for the last one to let go of the folder.
    pub async fn open(&self) -> Arc<App> {
        eventually(|| async {
            match App::open(self.config()).await {
                Ok(app) => Some(app),
                Err(error) if error.to_string().contains("in use") => None,
                Err(error) => panic!("{error}"),
            }
        })
        .await
    }

    /// Starts the server.
    pub async fn run(&mut self) {
        let app = self.open().await;
        self.serve(app).await;
    }

    /// Starts the server of an app that was opened otherwise.
    pub async fn serve(&mut self, app: Arc<App>) {
        self.local_key = app.keys.local().reveal().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        self.address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            lastro::server::run(listener, app, stopped).await.expect("the server ends well");
        });
        self.server = Some(Server { stop, running });
    }

    /// Ends the server.
    pub async fn stop(&mut self) {
        within(self.tell_to_stop()).await.expect("the server ends well");
    }

    /// Tells the server to end, which it does once its open answers have.
    pub fn tell_to_stop(&mut self) -> JoinHandle<()> {
        let server = self.server.take().expect("a server runs");
        server.stop.send(()).expect("the server waits for this");
        server.running
    }

    /// Ends the server and starts it again with other options.
    pub async fn restart(&mut self, options: &str) {
        self.stop().await;
        self.run_with(options).await;
    }

    /// Starts the server with these options.
    pub async fn run_with(&mut self, options: &str) {
        self.set_options(options);
        self.run().await;
    }

    /// What the next start is with.
    pub fn set_options(&mut self, options: &str) {
        self.options = options.to_owned();
    }

    /// Makes a key by `/admin/keys`: its id, and the key.
    pub async fn key(&self, wanted: Value) -> (String, String) {
        let request = Request::new("POST", "/admin/keys").json(wanted.to_string()).key(&self.local_key);
        let reply = self.ask(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let text = |field: &str| reply.json()[field].as_str().expect("a text").to_owned();
        (text("id"), text("secret"))
    }

    /// Sends a request and reads the whole answer.
    pub async fn ask(&self, request: Request) -> Reply {
        request.send(self.address).await.reply().await
    }

    /// Waits until everything is there, and gives what `/ready` says then.
    pub async fn ready(&self) -> Value {
        eventually(|| async { Some(self.get("/ready").await).filter(|reply| reply.status == 200) })
            .await
            .json()
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.ask(Request::new("GET", target)).await
    }

    pub async fn delete(&self, target: &str) -> Reply {
        self.ask(Request::new("DELETE", target)).await
    }

    pub async fn post(&self, target: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
        self.ask(Request::new("POST", target).headers(headers).json(body)).await
    }

    /// One question to a collection, by header.
    pub async fn chat(&self, collection: &str, question: &str, headers: &[(&str, &str)]) -> Reply {
        let headers = [&[("X-RAG-Collection", collection)], headers].concat();
        self.post("/v1/chat/completions", &headers, question_body(question)).await
    }

    /// Texts of the passages that a search finds.
    pub async fn search(&self, collection: &str, query: &str) -> Vec<String> {
        let body = json!({ "query": query }).to_string();
        let reply = self.post(&format!("/v1/vector_stores/{collection}/search"), &[], body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let texts = reply.json()["data"].as_array().expect("a list").clone();
        texts.iter().map(|item| item["content"][0]["text"].as_str().expect("a text").to_owned()).collect()
    }

    /// Uploads files to a collection, which is made where it is missing, and waits until all are read.
    pub async fn upload(&self, collection: &str, files: &[(&str, &str)]) -> Vec<Value> {
        let files: Vec<_> = files.iter().map(|(name, text)| ("file", *name, text.as_bytes())).collect();
        let target = format!("/v1/vector_stores/{collection}/documents?create=true&wait=60");
        let reply = self.send_files(&target, &files).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let documents = reply.json()["data"].as_array().expect("a list").clone();
        for document in &documents {
            assert_eq!(document["status"], "completed", "{document}");
        }
        documents
    }

    /// Sends a form of fields, file names and bytes.
    pub async fn send_files(&self, target: &str, files: &[(&str, &str, &[u8])]) -> Reply {
        self.ask(form(target, files)).await
    }
}

/// A multipart request of fields, file names and bytes.
pub fn form(target: &str, files: &[(&str, &str, &[u8])]) -> Request {
    let mut body = Vec::new();
    for (field, filename, bytes) in files {
        let head = format!(
            "--limit\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{filename}\"\r\n\r\n"
        );
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    body.extend(b"--limit--\r\n");
    Request::new("POST", target).header("Content-Type", "multipart/form-data; boundary=limit").body(body)
}

/// A chat of one question.
pub fn question_body(question: &str) -> String {
    json!({ "model": "test-model", "messages": [{ "role": "user", "content": question }] }).to_string()
}

/// A document of many sections that share no rare word: section 7 alone speaks of `topic7`, and its code is `CODE-7`.
pub fn long_document(sections: usize) -> String {
    let mut text = String::from(
        "# The station manual\n\nThis manual describes how the harbour station is kept in order, and who does what on which day.\n\n",
    );
    for n in 1..=sections {
        text.push_str(&format!(
            "## Section {n}\n\nThe rules for topic{n} are written here. Whoever asks about topic{n} is told that the code is CODE-{n}. \
             The keeper writes the hour into the book, closes the valve, and waits for the second bell before leaving the tower.\n\n"
        ));
    }
    text
}
