//! An LLM server that plays a script: bytes in chosen pieces on a raw socket, and a memory of what it was sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::client::{find, parse_head};

/// A step of an answer.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Written and flushed on its own.
    Bytes(Vec<u8>),
    /// Goes on when the test calls [`Upstream::release`].
    Gate,
    /// Closes the connection here.
    Die,
    /// Goes on once lastro has closed the connection, and counts that.
    UntilClosed,
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
    answer: Mutex<Vec<Piece>>,
    requests: Mutex<Vec<Recorded>>,
    arriving: Mutex<Vec<u8>>,
    gate: Semaphore,
    closed: AtomicUsize,
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
            answer: Mutex::new(json_answer("200 OK", ANSWER)),
            requests: Mutex::default(),
            arriving: Mutex::default(),
            gate: Semaphore::new(0),
            closed: AtomicUsize::new(0),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self { address, shared }
    }

    /// The body of `/v1/models`.
    pub fn models(&self, body: &str) {
        *self.shared.models.lock() = json_answer("200 OK", body);
    }

    /// Answers `/tokenize`; without it that is 404.
    pub fn tokenize(&self, count: Tokenize) {
        *self.shared.tokenize.lock() = Some(count);
    }

    /// What is played from now on for everything but `/v1/models` and `/tokenize`.
    pub fn play(&self, answer: Vec<Piece>) {
        *self.shared.answer.lock() = answer;
    }

    /// Opens one [`Piece::Gate`].
    pub fn release(&self) {
        self.shared.gate.add_permits(1);
    }

    /// All requests but those for models and token counts, which are lastro's own.
    pub fn requests(&self) -> Vec<Recorded> {
        let requests = self.shared.requests.lock();
        requests.iter().filter(|r| r.target != "/tokenize" && r.target != "/v1/models").cloned().collect()
    }

    /// All requests.
    pub fn everything(&self) -> Vec<Recorded> {
        self.shared.requests.lock().clone()
    }

    /// The last request.
    pub fn last(&self) -> Recorded {
        self.requests().pop().expect("a request went upstream")
    }

    /// Bytes of bodies that have arrived, also of a request that is not complete.
    pub fn arriving(&self) -> Vec<u8> {
        self.shared.arriving.lock().clone()
    }

    /// How many connections lastro closed where a script waited for it.
    pub fn closed(&self) -> usize {
        self.shared.closed.load(SeqCst)
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, &shared).await {
        let answer = match request.target.as_str() {
            "/v1/models" if request.method == "GET" => shared.models.lock().clone(),
            "/tokenize" => match *shared.tokenize.lock() {
                Some(count) => json_answer("200 OK", &count(&request.body)),
                None => json_answer("404 Not Found", "{\"detail\":\"Not Found\"}"),
            },
            _ => shared.answer.lock().clone(),
        };
        shared.requests.lock().push(request);
        for piece in answer {
            let written = match piece {
                Piece::Bytes(bytes) => stream.write_all(&bytes).await.and(stream.flush().await),
                Piece::Gate => {
                    shared.gate.acquire().await.map(|permit| permit.forget()).map_err(std::io::Error::other)
                }
                Piece::Die => return,
                Piece::UntilClosed => {
                    while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
                    shared.closed.fetch_add(1, SeqCst);
                    return;
                }
            };
            if written.is_err() {
                return;
            }
            // Gives lastro the chance to see pieces one by one; what is asserted does not depend on it.
            tokio::task::yield_now().await;
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Option<Recorded> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end;
        }
        fill(stream, buffer).await?;
    };
    let head: Vec<u8> = buffer.drain(..end + 4).collect();
    let (line, headers) = parse_head(&String::from_utf8_lossy(&head));
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Recorded { method, target, headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some() {
        loop {
            let line = loop {
                if let Some(end) = find(buffer, b"\r\n") {
                    break end;
                }
                fill(stream, buffer).await?;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&buffer[..line]).ok()?, 16).ok()?;
            while buffer.len() < line + 2 + size + 2 {
                fill(stream, buffer).await?;
            }
            let chunk: Vec<u8> = buffer.drain(..line + 2 + size + 2).skip(line + 2).take(size).collect();
            shared.arriving.lock().extend_from_slice(&chunk);
            request.body.extend(chunk);
            if size == 0 {
                return Some(request);
            }
        }
    }
    let length: usize = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    while buffer.len() < length {
        fill(stream, buffer).await?;
    }
    request.body = buffer.drain(..length).collect();
    shared.arriving.lock().extend_from_slice(&request.body);
    Some(request)
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 1 << 14];
    let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&part[..read]);
    Some(())
}
