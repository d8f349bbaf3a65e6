//! An answer as it comes, frame by frame.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::within;
use super::{Reply, Request, find, parse_head};

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
    /// Statuses of the 1xx answers that came before it.
    pub interim: Vec<u16>,
    stream: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
    bodiless: bool,
}

impl Response {
    pub(super) fn new(stream: TcpStream, bodiless: bool) -> Self {
        Self {
            status: 0,
            headers: Vec::new(),
            interim: Vec::new(),
            stream,
            buffer: Vec::new(),
            framing: Framing::Length(0),
            bodiless,
        }
    }

    /// Sends more of the request.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).await.expect("the connection is open");
    }

    /// Sends more of the request, if the server still takes it.
    pub async fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// Closes the sending side, and goes on receiving.
    pub async fn half_close(&mut self) {
        within(self.stream.shutdown()).await.expect("the connection is open");
    }

    /// Reads the head of the answer.
    pub async fn read_head(&mut self) {
        assert!(self.try_head().await, "no answer: {:?}", String::from_utf8_lossy(&self.buffer));
    }

    /// Reads the head of the answer, unless the connection ends before it.
    pub async fn try_head(&mut self) -> bool {
        loop {
            if !self.try_any_head().await {
                return false;
            }
            if self.status >= 200 || self.status == 101 {
                return true;
            }
            self.interim.push(self.status);
        }
    }

    /// The same, also of a 1xx answer.
    pub async fn try_any_head(&mut self) -> bool {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.fill().await {
                return false;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).expect("a head in UTF-8");
        let (status, headers) = parse_head(&head);
        self.status = status.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        self.headers = headers;
        if self.bodiless || matches!(self.status, 100..=199 | 204 | 304) {
            self.framing = Framing::Length(0);
            return true;
        }
        self.framing = match (self.header("content-length"), self.header("transfer-encoding")) {
            (Some(length), _) => Framing::Length(length.parse().expect("a length")),
            (None, Some("chunked")) => Framing::Chunked,
            (None, _) => Framing::UntilClosed,
        };
        true
    }

    /// Sends another request on this connection, whose last answer was read to its end, and reads the head of its answer.
    pub async fn again(&mut self, request: &Request, address: SocketAddr) {
        assert!(
            self.buffer.is_empty(),
            "bytes after the answer: {:?}",
            String::from_utf8_lossy(&self.buffer)
        );
        self.bodiless = request.head.starts_with("HEAD ");
        self.write(&request.bytes(address)).await;
        self.read_head().await;
    }

    /// The same on a connection that may be closed meanwhile: false if it was.
    pub async fn try_again(&mut self, request: &Request, address: SocketAddr) -> bool {
        self.bodiless = request.head.starts_with("HEAD ");
        self.try_write(&request.bytes(address)).await.is_ok() && self.try_head().await
    }

    /// What comes on this connection, body or not, until the server closes it.
    pub async fn until_closed(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// So many bytes of a connection that became a tunnel.
    pub async fn tunnelled(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().await, "the tunnel ended after {:?}", String::from_utf8_lossy(&self.buffer));
        }
        self.buffer.drain(..length).collect()
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
        if size == 0 {
            let end = loop {
                // The empty line after the trailers, which begin where the line of the size ends.
                if let Some(end) = find(&self.buffer[line..], b"\r\n\r\n") {
                    break line + end + 4;
                }
                if !self.fill().await {
                    return Err(Broken);
                }
            };
            self.buffer.drain(..end);
            self.framing = Framing::Length(0);
            return Ok(None);
        }
        while self.buffer.len() < line + 2 + size + 2 {
            if !self.fill().await {
                return Err(Broken);
            }
        }
        let chunk = self.buffer[line + 2..][..size].to_vec();
        self.buffer.drain(..line + 2 + size + 2);
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
