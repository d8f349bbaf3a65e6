//! A bare TCP relay: what passing bytes on costs at least.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::mock::STACK;

/// Passes bytes on between an address and another, in this process, until it is ended.
pub fn run(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    for client in TcpListener::bind(listen)?.incoming() {
        let joined = client.and_then(|client| {
            thread::Builder::new()
                .stack_size(STACK)
                .spawn(move || join(client, upstream).map_err(report).ok())
        });
        if let Err(error) = joined {
            report(error);
            // Out of threads or descriptors: others have to end first.
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

fn report(error: io::Error) {
    eprintln!("relay: {error}");
}

fn join(client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let back = (server.try_clone()?, client.try_clone()?);
    thread::Builder::new().stack_size(STACK).spawn(move || pass(back.0, back.1))?;
    pass(client, server);
    Ok(())
}

/// One direction until its end, which is passed on too.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            // The sender must not go on into nothing.
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
