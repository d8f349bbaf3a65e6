//! A client on a raw socket: what it sends and what it gets is bytes, frame by frame.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// A request to be sent as it is written here.
pub struct Request {
    head: String,
    body: Vec<u8>,
    length: bool,
}

impl Request {
    /// `target` is path and query.
    pub fn new(method: &str, target: &str) -> Self {
        Self { head: format!("{method} {target} HTTP/1.1\r\n"), body: Vec::new(), length: true }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Several headers; a `Host` among them replaces the server's own.
    pub fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |request, (name, value)| request.header(name, value))
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

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
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
            let mut stream = TcpStream::connect(address).await.expect("lastro accepts connections");
            stream.set_nodelay(true).expect("a TCP option");
            // A server that refuses a large body closes before it has read all of it.
            if let Err(error) = stream.write_all(&self.bytes(address)).await {
                assert!(self.body.len() > 1 << 16, "the request could not be sent: {error}");
            }
            Response {
                status: 0,
                headers: Vec::new(),
                stream,
                buffer: Vec::new(),
                framing: Framing::Length(0),
            }
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

enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

/// The connection broke before the body was complete.
#[derive(Debug, PartialEq)]
pub struct Broken;

/// An answer whose body is read as it comes. Dropping it closes the connection.
pub struct Response {
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    stream: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
}

impl Response {
    /// Sends more of the request.
    pub async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.expect("the connection is open");
    }

    /// Reads the head of the answer.
    pub async fn read_head(&mut self) {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            assert!(self.fill().await, "no answer: {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).expect("a head in UTF-8");
        let (status, headers) = parse_head(&head);
        self.status = status.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        self.headers = headers;
        self.framing = match (self.header("content-length"), self.header("transfer-encoding")) {
            (Some(length), _) => Framing::Length(length.parse().expect("a length")),
            (None, Some("chunked")) => Framing::Chunked,
            (None, _) if self.status == 204 => Framing::Length(0),
            (None, _) => Framing::UntilClosed,
        };
    }

    /// The value of a header that must not be there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        first
    }

    /// The next chunk of a chunked body, or what arrived of another; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        match self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Err(Broken);
                }
                let part: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                self.framing = Framing::Length(left - part.len());
                Ok(Some(part))
            }
            Framing::Chunked => self.next_chunk().await,
            Framing::UntilClosed => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.buffer)))
            }
        }
    }

    async fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let line = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break end;
            }
            if !self.fill().await {
                return Err(Broken);
            }
        };
        let size = std::str::from_utf8(&self.buffer[..line]).expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        while self.buffer.len() < line + 2 + size + 2 {
            if !self.fill().await {
                return Err(Broken);
            }
        }
        let chunk = self.buffer[line + 2..][..size].to_vec();
        self.buffer.drain(..line + 2 + size + 2);
        if size == 0 {
            self.framing = Framing::Length(0);
            return Ok(None);
        }
        Ok(Some(chunk))
    }

    /// Reads until the body begins with so many bytes, and gives them back.
    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < length {
            body.extend(self.next().await.expect("an unbroken body").expect("more of the body"));
        }
        assert_eq!(body.len(), length, "{}", String::from_utf8_lossy(&body));
        body
    }

    /// The rest of the body, and whether it ended or broke.
    pub async fn rest(&mut self) -> (Vec<u8>, Result<(), Broken>) {
        let mut body = Vec::new();
        loop {
            match self.next().await {
                Ok(Some(part)) => body.extend(part),
                Ok(None) => return (body, Ok(())),
                Err(broken) => return (body, Err(broken)),
            }
        }
    }

    /// The whole answer, whose body must end well.
    pub async fn reply(mut self) -> Reply {
        let (body, end) = self.rest().await;
        assert_eq!(end, Ok(()), "the body broke off after {}", String::from_utf8_lossy(&body));
        Reply { status: self.status, headers: self.headers, body }
    }

    async fn fill(&mut self) -> bool {
        let mut part = [0; 1 << 14];
        let read = within(self.stream.read(&mut part)).await.unwrap_or(0);
        self.buffer.extend_from_slice(&part[..read]);
        read > 0
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
