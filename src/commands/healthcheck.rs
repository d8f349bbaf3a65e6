//! `lastro healthcheck`: whether the server on this machine answers. For containers without curl.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::connection::reachable;
use super::{CommandError, output};
use crate::config::ConfigError;

/// A server that is well answers in a millisecond.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks `/health` at the port of `listen`, and prints what came of it. No model and no data folder is touched.
pub fn healthcheck(listen: Result<SocketAddr, ConfigError>) -> Result<(), CommandError> {
    // Settings that cannot be used are no reason of their own: container engines reserve exit code 2.
    let listen = listen.map_err(|error| CommandError::Usage(error.to_string()))?;
    let line = health(listen).map_err(CommandError::Usage)?;
    // The exit code is the answer, whether somebody reads this or not.
    let _ = output::print(format_args!("{line}\n"));
    Ok(())
}

fn health(listen: SocketAddr) -> Result<String, String> {
    let address = reachable(listen);
    if address.port() == 0 {
        return Err(format!("{listen} is any free port: give the server's own with --listen"));
    }
    match status(address) {
        Ok(200) => Ok(format!("http://{address}/health answers")),
        Ok(status) => Err(format!("http://{address}/health answers with status {status}: see the log")),
        Err(error) => Err(format!("http://{address}/health: {error}: does `lastro serve` listen there?")),
    }
}

fn status(address: SocketAddr) -> io::Result<u16> {
    let deadline = Instant::now() + PATIENCE;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece.
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // "HTTP/1.1 200" is all that is looked at.
    let mut line = [0; 12];
    let mut read = 0;
    while read < line.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut line[read..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let told = line.strip_prefix(b"HTTP/1.1 ").and_then(|status| std::str::from_utf8(status).ok());
    told.and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answered(answer: &'static [u8]) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).expect("a request") > 0);
            // In two pieces, as they may come.
            let (head, rest) = answer.split_at(answer.len() / 2);
            stream.write_all(head).expect("it is sent");
            stream.flush().expect("it is sent");
            // Who has read twelve bytes leaves.
            if let Err(error) = stream.write_all(rest) {
                assert!(matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
            }
        });
        let outcome = health(SocketAddr::from(([0, 0, 0, 0], port)));
        server.join().expect("the server ends well");
        outcome
    }

    #[test]
    fn only_200_is_healthy() {
        assert!(answered(b"HTTP/1.1 200 OK\r\n\r\n").expect("healthy").contains("127.0.0.1"));
        for (answer, says) in [
            (&b"HTTP/1.1 503 Service Unavailable\r\n\r\n"[..], "503"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
            (b"HTTP/1.1", "end of file"),
        ] {
            let problem = answered(answer).expect_err("not healthy");
            assert!(problem.contains(says), "{problem}");
        }
        assert!(health(SocketAddr::from(([127, 0, 0, 1], 0))).is_err());
    }
}
