//! An upstream that answers at once: what is measured through it is what stands in front of it.
//!
//! One thread for every connection, blocked in the kernel: a frame leaves when it is due. An event loop's timers are
//! a millisecond coarse, which is more than what is to be measured.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::wire::{Head, find};

/// The window that it claims, in tokens: that of current 7B models on one GPU.
pub const WINDOW: u32 = 32_768;
/// The user of a question whose answer goes on until its connection ends begins like this.
pub const LEAVER: &str = "leaver-";
/// Enough for a connection's few frames on the stack.
pub const STACK: usize = 128 << 10;

/// How an answer comes: so many frames of content, the first at once, each of the others after the gap.
#[derive(Clone, Copy)]
pub struct Pace {
    pub frames: u32,
    pub gap: Duration,
}

/// A running upstream; it ends with the process.
#[derive(Clone)]
pub struct Mock {
    pub address: SocketAddr,
    leavers: Leavers,
}

/// Who waits to hear when a leaver's connection ended.
type Leavers = Arc<Mutex<HashMap<String, Sender<Instant>>>>;

/// Starts it.
pub fn start(pace: Pace) -> Outcome<Mock> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mock = Mock { address: listener.local_addr()?, leavers: Leavers::default() };
    let (answers, leavers) = (Arc::new(Answers::new(pace)), mock.leavers.clone());
    thread::Builder::new().name("upstream".to_owned()).spawn(move || {
        exact_timers();
        for stream in listener.incoming() {
            let (answers, leavers) = (answers.clone(), leavers.clone());
            // A connection ends with its client; what it was doing then is of no interest.
            let served = stream.and_then(|stream| {
                let serve = move || answers.serve(stream, &leavers).ok();
                thread::Builder::new().stack_size(STACK).spawn(serve)
            });
            if let Err(error) = served {
                eprintln!("the upstream of the benchmark lost a connection: {error}");
            }
        }
    })?;
    Ok(mock)
}

impl Mock {
    /// Sends the time at which the connection of this user's answer ended.
    pub fn watch(&self, user: &str, to: Sender<Instant>) {
        self.leavers.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), to);
    }
}

/// Asks the kernel to wake this thread, and those that it starts, when they are due instead of up to 50 µs later.
pub fn exact_timers() {
    let this = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(thread) = this.file_name() {
        // Without it everything is as late as everything else.
        let _ = std::fs::write(std::path::Path::new("/proc").join(thread).join("timerslack_ns"), "1");
    }
}

/// What it answers, made once.
struct Answers {
    pace: Pace,
    head: Vec<u8>,
    content: Vec<u8>,
    last: Vec<u8>,
    whole: Vec<u8>,
    models: Vec<u8>,
}

impl Answers {
    /// Frames as vLLM 0.32 writes them: the role first, with empty content.
    fn new(pace: Pace) -> Self {
        const CHUNK: &str = r#""id":"chatcmpl-bbeba85d2b62412b","object":"chat.completion.chunk","created":1795353076,"model":"mock""#;
        let frame = |event: &str| format!("{:x}\r\ndata: {event}\n\n\r\n", event.len() + 8);
        let role = frame(&format!(
            r#"{{{CHUNK},"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":null}}],"prompt_token_ids":null,"prompt_text":null}}"#
        ));
        let content = frame(&format!(
            r#"{{{CHUNK},"choices":[{{"index":0,"delta":{{"content":" word"}},"logprobs":null,"finish_reason":null,"token_ids":null}}]}}"#
        ));
        let finish = frame(&format!(
            r#"{{{CHUNK},"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}}]}}"#
        ));
        let whole = r#"{"id":"chatcmpl-bbeba85d2b62412b","object":"chat.completion","created":1795353076,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"word"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"total_tokens":10,"completion_tokens":1}}"#;
        let models = format!(
            r#"{{"object":"list","data":[{{"id":"mock","object":"model","created":1795353076,"owned_by":"vllm","max_model_len":{WINDOW}}}]}}"#
        );
        Self {
            pace,
            head: format!("HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n{role}").into(),
            content: content.into(),
            last: (finish + &frame("[DONE]") + "0\r\n\r\n").into(),
            whole: json("200 OK", whole),
            models: json("200 OK", &models),
        }
    }

    fn serve(&self, mut stream: TcpStream, leavers: &Leavers) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut unread, mut body) = (Vec::with_capacity(16 << 10), Vec::new());
        while let Some(head) = next_request(&mut stream, &mut unread, &mut body)? {
            let mut words = head.start().split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            match (method, path.split('?').next().unwrap_or_default()) {
                ("POST", "/v1/chat/completions") => match leaver(&body) {
                    Some(user) => return self.until_it_leaves(stream, &user, leavers),
                    None if find(&body, br#""stream":true"#)
                        .or(find(&body, br#""stream": true"#))
                        .is_some() =>
                    {
                        self.stream(&mut stream)?;
                    }
                    None => stream.write_all(&self.whole)?,
                },
                ("GET", "/v1/models") => stream.write_all(&self.models)?,
                ("GET", _) => stream.write_all(&json("200 OK", "{}"))?,
                _ => stream.write_all(&json("404 Not Found", r#"{"detail":"Not Found"}"#))?,
            }
        }
        Ok(())
    }

    fn stream(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&self.head)?;
        let started = Instant::now();
        for frame in 0..self.pace.frames {
            // By the clock and not from frame to frame, so that no delay adds to the next.
            if let Some(left) = (self.pace.gap * frame).checked_sub(started.elapsed()) {
                thread::sleep(left);
            }
            stream.write_all(&self.content)?;
        }
        stream.write_all(&self.last)
    }

    /// Frames until the connection ends, which a thread that only reads sees at once.
    fn until_it_leaves(&self, mut stream: TcpStream, user: &str, leavers: &Leavers) -> io::Result<()> {
        let left = AtomicBool::new(false);
        let mut writer = stream.try_clone()?;
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut written = writer.write_all(&self.head);
                while written.is_ok() && !left.load(Ordering::Relaxed) {
                    written = writer.write_all(&self.content);
                    thread::sleep(self.pace.gap.max(Duration::from_micros(100)));
                }
            });
            while matches!(stream.read(&mut [0; 512]), Ok(1..)) {}
            let ended = Instant::now();
            left.store(true, Ordering::Relaxed);
            if let Some(waiting) = leavers.lock().unwrap_or_else(PoisonError::into_inner).remove(user) {
                // Who gave up waiting has counted it.
                let _ = waiting.send(ended);
            }
        });
        Ok(())
    }
}

fn json(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nserver: uvicorn\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
}

/// The user of a question whose answer is to go on until its connection ends.
fn leaver(body: &[u8]) -> Option<String> {
    let from = find(body, LEAVER.as_bytes())?;
    let name = body[from..].iter().take_while(|b| **b != b'"').copied().collect();
    String::from_utf8(name).ok()
}

/// The head of the next request, its body in `body`; `None` at the end of the connection.
fn next_request(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    body: &mut Vec<u8>,
) -> io::Result<Option<Head>> {
    let mut piece = [0; 16 << 10];
    let mut head = None;
    body.clear();
    loop {
        if head.is_none()
            && let Some((found, length)) = Head::read(unread)
        {
            unread.drain(..length);
            head = Some((found.request_body(), found));
        }
        if let Some((left, found)) = &mut head {
            let taken = left.take(unread, body).map_err(io::Error::other)?;
            unread.drain(..taken);
            if left.ended() {
                return Ok(Some(std::mem::take(found)));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            length => unread.extend_from_slice(&piece[..length]),
        }
    }
}
