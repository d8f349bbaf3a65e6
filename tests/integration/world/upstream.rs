//! An LLM server that plays a script: bytes in chosen pieces on a raw socket, and a memory of what it was sent.

mod play;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};

/// A step of an answer.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Written and flushed on its own.
    Bytes(Vec<u8>),
    /// The same bytes again and again, counted by [`Upstream::offered`].
    Repeat(Vec<u8>, usize),
    /// Goes on when the test calls [`Upstream::release`], unless lastro closes the connection, which is counted.
    Gate,
    /// Goes on once so many bytes of the request's body have come, where answers are [`Upstream::early`].
    Body(usize),
    /// Goes on a while later, for an order of events that differs from run to run.
    Pause(Duration),
    /// Closes the connection here.
    Die,
    /// Breaks the connection here, as a process that is killed does.
    Reset,
    /// Goes on once lastro has closed the connection, and counts that.
    UntilClosed,
    /// Sends back what comes, until the connection is closed, and counts that too.
    Echo,
}

/// What lastro sent.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON went upstream")
    }
}

/// Counts the tokens of a `/tokenize` body: the body to answer with.
pub type Tokenize = fn(&[u8]) -> String;

/// The scripted server. It ends with the test's runtime.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    models: Mutex<Vec<Piece>>,
    tokenize: Mutex<Option<Tokenize>>,
    key: Mutex<Option<String>>,
    answer: Mutex<Vec<Piece>>,
    answers: Mutex<HashMap<String, Vec<Piece>>>,
    early: AtomicBool,
    reading: watch::Sender<bool>,
    buffers: AtomicUsize,
    requests: Mutex<Vec<Recorded>>,
    heads: Mutex<Vec<Recorded>>,
    arriving: Mutex<Vec<u8>>,
    arrived: Notify,
    gate: Semaphore,
    closed: AtomicUsize,
    offered: AtomicUsize,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

/// A model list like vLLM's.
pub fn vllm_models(window: u64) -> String {
    format!(r#"{{"object":"list","data":[{{"id":"test-model","object":"model","max_model_len":{window}}}]}}"#)
}

/// A whole answer of a status with a JSON body.
pub fn json_answer(status: &str, body: &str) -> Vec<Piece> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    vec![Piece::Bytes(format!("{head}{body}").into_bytes())]
}

/// The head of a stream of events in chunks.
pub const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The end of a body in chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One chunk.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// What is answered when a test does not care.
pub const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"message":{"role":"assistant","content":"Yes [1]."}}]}"#;

impl Upstream {
    /// Listens on a free port, with one model and a large window.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            models: Mutex::new(json_answer("200 OK", &vllm_models(8192))),
            tokenize: Mutex::new(None),
            key: Mutex::new(None),
            answer: Mutex::new(json_answer("200 OK", ANSWER)),
            answers: Mutex::default(),
            early: AtomicBool::new(false),
            reading: watch::Sender::new(true),
            buffers: AtomicUsize::new(0),
            requests: Mutex::default(),
            heads: Mutex::default(),
            arriving: Mutex::default(),
            arrived: Notify::new(),
            gate: Semaphore::new(0),
            closed: AtomicUsize::new(0),
            offered: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.accepted.fetch_add(1, SeqCst);
                serving.open.fetch_add(1, SeqCst);
                let serving = serving.clone();
                tokio::spawn(async move {
                    play::serve(stream, &serving).await;
                    serving.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, shared }
    }

    /// The body of `/v1/models`.
    pub fn models(&self, body: &str) {
        *self.shared.models.lock() = json_answer("200 OK", body);
    }

    /// What is played for `/v1/models` in place of a list.
    pub fn play_models(&self, answer: Vec<Piece>) {
        *self.shared.models.lock() = answer;
    }

    /// Tells `/v1/models` only to whoever sends this `Authorization`.
    pub fn models_need(&self, authorization: &str) {
        *self.shared.key.lock() = Some(authorization.to_owned());
    }

    /// How often a target was asked for.
    pub fn asked(&self, target: &str) -> usize {
        self.everything().iter().filter(|request| request.target == target).count()
    }

    /// Answers `/tokenize`; without it that is 404.
    pub fn tokenize(&self, count: Tokenize) {
        *self.shared.tokenize.lock() = Some(count);
    }

    /// What is played from now on for everything but `/v1/models` and `/tokenize`.
    pub fn play(&self, answer: Vec<Piece>) {
        *self.shared.answer.lock() = answer;
    }

    /// What is played from now on for one target.
    pub fn play_at(&self, target: &str, answer: Vec<Piece>) {
        self.shared.answers.lock().insert(target.to_owned(), answer);
    }

    /// Whether answers begin when the head of a request has come, while its body is still on the way.
    pub fn early(&self, early: bool) {
        self.shared.early.store(early, SeqCst);
    }

    /// Whether bodies of requests are left unread for now.
    pub fn pause_reading(&self, pause: bool) {
        self.shared.reading.send_replace(!pause);
    }

    /// Bytes of the socket buffers of connections from now on, so that little is on the way.
    pub fn buffers(&self, bytes: usize) {
        self.shared.buffers.store(bytes, SeqCst);
    }

    /// Opens one [`Piece::Gate`].
    pub fn release(&self) {
        self.shared.gate.add_permits(1);
    }

    /// All requests but those for models and token counts, which are lastro's own.
    pub fn requests(&self) -> Vec<Recorded> {
        not_of_its_own(&self.shared.requests.lock())
    }

    /// All requests.
    pub fn everything(&self) -> Vec<Recorded> {
        self.shared.requests.lock().clone()
    }

    /// The heads of the same and of those whose body never came to its end.
    pub fn heads(&self) -> Vec<Recorded> {
        not_of_its_own(&self.shared.heads.lock())
    }

    /// The last request.
    pub fn last(&self) -> Recorded {
        self.requests().pop().expect("a request went upstream")
    }

    /// Forgets what came.
    pub fn forget(&self) {
        self.shared.requests.lock().clear();
        self.shared.heads.lock().clear();
        self.shared.arriving.lock().clear();
    }

    /// Bytes of bodies that have arrived, also of a request that is not complete.
    pub fn arriving(&self) -> Vec<u8> {
        self.shared.arriving.lock().clone()
    }

    /// How many connections lastro closed where a script waited for it.
    pub fn closed(&self) -> usize {
        self.shared.closed.load(SeqCst)
    }

    /// How many bytes of [`Piece::Repeat`] the kernel has taken.
    pub fn offered(&self) -> usize {
        self.shared.offered.load(SeqCst)
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(SeqCst)
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.shared.open.load(SeqCst)
    }
}

fn not_of_its_own(requests: &[Recorded]) -> Vec<Recorded> {
    requests.iter().filter(|r| r.target != "/tokenize" && r.target != "/v1/models").cloned().collect()
}
