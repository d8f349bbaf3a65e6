//! An upstream that answers at once: what is measured through it is what stands in front of it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

/// The window that it claims, in tokens: that of current 7B models on one GPU.
pub const WINDOW: u32 = 32_768;

/// Frames of a streamed answer as vLLM writes them: the role first, with empty content.
const ROLE: &str = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"mock","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const CONTENT: &str = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"mock","choices":[{"index":0,"delta":{"content":"Yes."},"finish_reason":null}]}"#;
const DONE: &str = "data: [DONE]";

/// Starts it on a thread of its own, which ends with the process.
pub fn start() -> Outcome<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("upstream".to_owned()).spawn(move || {
        runtime.block_on(async {
            let served = async { accept(TcpListener::from_std(listener)?).await };
            if let Err(error) = served.await {
                eprintln!("the upstream of the benchmark ended: {error}");
            }
        });
    })?;
    Ok(address)
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection ends with its client; what it was doing then is of no interest.
        tokio::spawn(async move { answer(stream).await.ok() });
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let first = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n{}",
        frame(ROLE)
    );
    let (second, last) = (frame(CONTENT), frame(DONE) + "0\r\n\r\n");
    let models =
        format!(r#"{{"object":"list","data":[{{"id":"mock","object":"model","max_model_len":{WINDOW}}}]}}"#);
    let mut buffer = Vec::with_capacity(64 << 10);
    loop {
        let Some(head) = read_request(&mut stream, &mut buffer).await? else { return Ok(()) };
        if head.starts_with("POST /v1/chat/completions ") {
            for part in [&first, &second, &last] {
                stream.write_all(part.as_bytes()).await?;
            }
        } else if head.starts_with("GET /v1/models ") {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
            stream
                .write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{models}", models.len()).as_bytes())
                .await?;
        } else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?;
        }
    }
}

fn frame(event: &str) -> String {
    format!("{:x}\r\n{event}\n\n\r\n", event.len() + 2)
}

/// The head of the next request, its body read and dropped; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let request = end + length.unwrap_or(0);
    while buffer.len() < request {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    buffer.drain(..request);
    Ok(Some(head))
}
