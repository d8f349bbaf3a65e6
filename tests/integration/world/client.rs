//! A client on a raw socket: what it sends and what it gets is bytes, frame by frame.

mod response;

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use super::within;
pub use response::{Broken, Response};

/// A request to be sent as it is written here.
#[derive(Clone)]
pub struct Request {
    head: String,
    body: Vec<u8>,
    length: bool,
    /// Everything that is sent, where a test writes it itself.
    raw: Option<Vec<u8>>,
    /// Bytes of the socket's receive buffer.
    receives: Option<u32>,
}

impl Request {
    /// `target` is path and query.
    pub fn new(method: &str, target: &str) -> Self {
        let head = format!("{method} {target} HTTP/1.1\r\n");
        Self { head, body: Vec::new(), length: true, raw: None, receives: None }
    }

    /// Bytes that need not be a request. `HEAD` and the like are not known of them.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { raw: Some(bytes.into()), ..Self::new("", "") }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Several headers; a `Host` among them replaces the server's own.
    pub fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |request, (name, value)| request.header(name, value))
    }

    /// With a key.
    pub fn key(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// JSON, with its type.
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    /// A body in chunks, written by the test with [`Response::write`] after the head was sent.
    pub fn chunked(mut self) -> Self {
        self.length = false;
        self.header("Transfer-Encoding", "chunked")
    }

    /// A body of a length, written by the test with [`Response::write`] after the head was sent.
    pub fn announced(mut self, length: usize) -> Self {
        self.length = false;
        self.header("Content-Length", &length.to_string())
    }

    /// A small receive buffer: a client that takes little at a time.
    pub fn receiving(mut self, bytes: u32) -> Self {
        self.receives = Some(bytes);
        self
    }

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut head = self.head.clone();
        if !head.to_ascii_lowercase().contains("\r\nhost:") {
            head.push_str(&format!("Host: {address}\r\n"));
        }
        if self.length {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends it on a connection of its own and does not wait for an answer.
    pub async fn open(&self, address: SocketAddr) -> Response {
        within(async {
            let socket = TcpSocket::new_v4().expect("a socket");
            if let Some(bytes) = self.receives {
                socket.set_recv_buffer_size(bytes).expect("a socket option");
            }
            let mut stream = socket.connect(address).await.expect("lastro accepts connections");
            stream.set_nodelay(true).expect("a TCP option");
            // A server that refuses a large body closes before it has read all of it.
            if let Err(error) = stream.write_all(&self.bytes(address)).await {
                assert!(self.body.len() > 1 << 16, "the request could not be sent: {error}");
            }
            Response::new(stream, self.head.starts_with("HEAD "))
        })
        .await
    }

    /// Sends it and reads the head of the answer.
    pub async fn send(&self, address: SocketAddr) -> Response {
        let mut response = self.open(address).await;
        response.read_head().await;
        response
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// Holds an error against OpenAI's shape, and gives its message.
    pub fn error(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let error = &self.json()["error"];
        assert_eq!(error["code"], code, "{error}");
        assert!(error["type"].is_string() && error.get("param").is_some(), "{error}");
        error["message"].as_str().expect("a message").to_owned()
    }
}

/// The first line of a head, and its headers with names in lower case.
pub fn parse_head(head: &str) -> (String, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    (first, headers.map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned())).collect())
}

/// Where a needle begins.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
