//! The script as it is played on one connection.

use std::pin::pin;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::super::client::{find, parse_head};
use super::{Piece, Recorded, Shared, json_answer};

/// Answers requests until the connection ends.
pub async fn serve(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let bytes = shared.buffers.load(SeqCst);
    if bytes > 0 {
        let socket = SockRef::from(&stream);
        let set = socket.set_send_buffer_size(bytes).and_then(|()| socket.set_recv_buffer_size(bytes));
        set.expect("a socket option");
    }
    let mut buffer = Vec::new();
    while let Some(mut request) = read_head(&mut stream, &mut buffer).await {
        shared.heads.lock().push(request.clone());
        let (mut reader, mut writer) = stream.split();
        let on = if shared.early.load(SeqCst) {
            let answer = answer(&request, shared);
            let mut reading = pin!(read_body(&mut reader, &mut buffer, &mut request, shared));
            let mut playing = pin!(play(answer, None, &mut writer, shared));
            let (mut read, mut played) = (false, false);
            // Whichever fails ends the connection for both.
            loop {
                let on = tokio::select! {
                    whole = &mut reading, if !read => {
                        read = true;
                        whole.is_some()
                    }
                    on = &mut playing, if !played => {
                        played = true;
                        on
                    }
                };
                if !on || (read && played) {
                    break on;
                }
            }
        } else {
            read_body(&mut reader, &mut buffer, &mut request, shared).await.is_some()
                && play(answer(&request, shared), Some(&mut reader), &mut writer, shared).await
        };
        if !on {
            return;
        }
    }
}

fn answer(request: &Recorded, shared: &Shared) -> Vec<Piece> {
    if let Some(answer) = shared.answers.lock().get(&request.target) {
        return answer.clone();
    }
    match request.target.as_str() {
        "/v1/models"
            if shared
                .key
                .lock()
                .as_deref()
                .is_some_and(|key| request.header("authorization") != Some(key)) =>
        {
            json_answer("401 Unauthorized", "{\"error\":\"Unauthorized\"}")
        }
        "/v1/models" if request.method == "GET" => shared.models.lock().clone(),
        "/tokenize" => match *shared.tokenize.lock() {
            Some(count) => json_answer("200 OK", &count(&request.body)),
            None => json_answer("404 Not Found", "{\"detail\":\"Not Found\"}"),
        },
        _ => shared.answer.lock().clone(),
    }
}

/// Plays an answer, and says whether the connection goes on.
async fn play(
    answer: Vec<Piece>,
    mut reader: Option<&mut ReadHalf<'_>>,
    writer: &mut WriteHalf<'_>,
    shared: &Shared,
) -> bool {
    for piece in answer {
        let written = match piece {
            Piece::Bytes(bytes) => writer.write_all(&bytes).await.and(writer.flush().await),
            Piece::Repeat(bytes, times) => repeat(&bytes, times, writer, shared).await,
            Piece::Gate => match gate(reader.as_deref_mut(), shared).await {
                true => Ok(()),
                false => {
                    shared.closed.fetch_add(1, SeqCst);
                    return false;
                }
            },
            Piece::Body(length) => {
                loop {
                    let arrived = shared.arrived.notified();
                    if shared.arriving.lock().len() >= length {
                        break;
                    }
                    arrived.await;
                }
                Ok(())
            }
            Piece::Pause(duration) => {
                tokio::time::sleep(duration).await;
                Ok(())
            }
            Piece::Die => return false,
            Piece::Reset => {
                let stream: &TcpStream = writer.as_ref();
                SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
                return false;
            }
            Piece::UntilClosed | Piece::Echo => {
                let reader = reader.as_mut().expect("an answer that is not early");
                let mut part = [0; 1 << 14];
                while let Ok(read @ 1..) = reader.read(&mut part).await {
                    if matches!(piece, Piece::Echo) && writer.write_all(&part[..read]).await.is_err() {
                        break;
                    }
                }
                shared.closed.fetch_add(1, SeqCst);
                return false;
            }
        };
        if written.is_err() {
            return false;
        }
        // Gives lastro the chance to see pieces one by one; what is asserted does not depend on it.
        tokio::task::yield_now().await;
    }
    true
}

/// Waits for the test to open the gate; false if lastro closes the connection before.
async fn gate(reader: Option<&mut ReadHalf<'_>>, shared: &Shared) -> bool {
    let closed = async {
        if let Some(reader) = reader
            && !matches!(reader.peek(&mut [0]).await, Ok(1..))
        {
            return;
        }
        // What is there to be read is the next request, which has time.
        std::future::pending().await
    };
    tokio::select! {
        biased;
        () = closed => false,
        permit = shared.gate.acquire() => {
            permit.expect("gates are never taken away").forget();
            true
        }
    }
}

async fn repeat(
    bytes: &[u8],
    times: usize,
    writer: &mut WriteHalf<'_>,
    shared: &Shared,
) -> std::io::Result<()> {
    for _ in 0..times {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = writer.write(rest).await?;
            shared.offered.fetch_add(written, SeqCst);
            rest = &rest[written..];
        }
    }
    Ok(())
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Recorded> {
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
    Some(Recorded { method, target, headers, body: Vec::new() })
}

/// Reads the body of a request, which is recorded when it is complete.
async fn read_body(
    stream: &mut ReadHalf<'_>,
    buffer: &mut Vec<u8>,
    request: &mut Recorded,
    shared: &Shared,
) -> Option<()> {
    shared.reading.subscribe().wait_for(|reading| *reading).await.ok()?;
    let take = |buffer: &mut Vec<u8>, request: &mut Recorded, length: usize| {
        let part: Vec<u8> = buffer.drain(..length).collect();
        shared.arriving.lock().extend_from_slice(&part);
        shared.arrived.notify_waiters();
        request.body.extend(part);
    };
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
            buffer.drain(..line + 2);
            take(buffer, request, size);
            buffer.drain(..2);
            if size == 0 {
                break;
            }
        }
        shared.requests.lock().push(request.clone());
        return Some(());
    }
    let length: usize = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    while request.body.len() < length {
        if buffer.is_empty() {
            fill(stream, buffer).await?;
        }
        let part = buffer.len().min(length - request.body.len());
        take(buffer, request, part);
    }
    shared.requests.lock().push(request.clone());
    Some(())
}

async fn fill(stream: &mut (impl AsyncReadExt + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 1 << 14];
    let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&part[..read]);
    Some(())
}
