//! What every client under test shares: where it connects to, what it sends, and what has to come back.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use bytes::Bytes;
use nix::sys::{prctl::set_pdeathsig, signal::Signal};

use crate::Outcome;

/// Messages that leave at once; the next ones do when all have come back.
const DEPTH: usize = 16;
/// Of a message's payload.
const LEN: usize = 125;
/// Of an unmasked frame around it (RFC 6455 section 5.2): what a floor is sent back.
const REPLY_LEN: usize = 2 + LEN;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs a tokio client, on a `current_thread` runtime, on a connection that is past the opening handshake.
#[cfg(feature = "tokio")]
pub fn run_tokio<Fut: Future<Output = Outcome>>(
    talk: impl FnOnce(tokio::net::TcpStream) -> Fut,
) -> Outcome {
    let stream = connect()?;
    stream.set_nonblocking(true)?;
    run_tokio_unconnected(async { talk(tokio::net::TcpStream::from_std(stream)?).await })
}

/// Runs a tokio client that connects by itself, on a `current_thread` runtime.
#[cfg(feature = "tokio")]
pub fn run_tokio_unconnected(talk: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(talk)
}

/// A blocking connection to the driver, past the opening handshake.
pub fn connect() -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(address()?)?;
    stream.set_nodelay(true)?;
    crate::handshake::request(&mut stream)?;
    Ok(stream)
}

/// Where the driver listens: the port is the first argument. Who asks lives no longer than the driver.
pub fn address() -> Result<SocketAddr, Error> {
    set_pdeathsig(Signal::SIGKILL)?;
    let port: u16 = std::env::args()
        .nth(1)
        .ok_or("the first argument is the driver's port")?
        .parse()?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

/// The payloads of a burst, the same each time and no two alike.
pub fn burst() -> Vec<Bytes> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..DEPTH)
        .map(|_| (0..LEN).map(|_| byte()).collect())
        .collect()
}

/// Whether what came back is what was sent.
pub fn check(received: &[u8], sent: &[u8]) -> Outcome {
    if received == sent {
        Ok(())
    } else {
        Err("the reply is not what was sent".into())
    }
}

/// For a floor, which knows no frames: a burst as it is on the wire, and the length of what comes back.
pub fn encoded_burst() -> (Vec<u8>, usize) {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = Vec::new();
    for (index, payload) in (0_u8..).zip(burst()) {
        let key = KEY.map(|byte| byte ^ index);
        bytes.extend_from_slice(&[0x82, 0x80 | LEN as u8]);
        bytes.extend_from_slice(&key);
        let masked = payload.iter().zip(key.iter().cycle());
        bytes.extend(masked.map(|(byte, key)| byte ^ key));
    }
    (bytes, DEPTH * REPLY_LEN)
}
