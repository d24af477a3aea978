//! What compression costs a connection that waits. In a program of its own, for it looks at the memory of the process.
#![cfg(all(feature = "deflate", target_os = "linux"))]

use bytes::Buf;
use ws_proto::{
    Agreement, Compress, Config, Connection, Context, DeflateConfig, Message, WindowBits,
};
use ws_testkit::blocks::{HELLO, stored};
use ws_testkit::{Frame, vectors};

const CONNECTIONS: usize = 2000;

/// The resident memory of this process, in bytes. Pages are taken for the smallest there are.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("it can be read");
    let pages = statm.split_whitespace().nth(1).expect("the second field");
    pages.parse::<usize>().expect("a number") * 4096
}

/// Bytes for each connection that was put to this use, beyond what one costs where nothing was agreed.
fn cost(config: &DeflateConfig, agreed: Agreement, put_to_use: fn(&mut Connection)) -> usize {
    let config = Config::default()
        .with_deflate(config.clone())
        .with_agreed(Some(agreed));
    // One goes first, so that what all share is not counted.
    let mut connections = Vec::with_capacity(CONNECTIONS + 1);
    let mut before = 0;
    for at in 0..=CONNECTIONS {
        let mut server = Connection::server(config.clone());
        if at == 0 {
            exchange(&mut server);
        }
        put_to_use(&mut server);
        connections.push(server);
        if at == 0 {
            before = resident();
        }
    }
    // The vector's own pages are among what was taken.
    (resident().saturating_sub(before) / CONNECTIONS).saturating_sub(size_of::<Connection>())
}

fn nothing(_: &mut Connection) {}

/// A message each way.
fn exchange(server: &mut Connection) {
    let message = Message::text("some words to be compressed. ".repeat(36));
    server
        .send_with(message, Compress::Always)
        .expect("it is sent");
    let len = server.transmit().remaining();
    server.transmit().advance(len);
    receive(server, Frame::text(HELLO));
}

/// The peer stops in the middle of a message.
fn stall(server: &mut Connection) {
    receive(server, Frame::text(stored(&[b'a'; 4000])).not_fin());
}

fn receive(server: &mut Connection, frame: Frame) {
    let frame = frame.with_rsv(0b100).masked(vectors::KEY).bytes();
    server.receive_buffer().extend_from_slice(&frame);
    while server.poll_event().expect("good").is_some() {}
    server.park();
}

/// spec: PM-05, PM-02
#[test]
fn compression_costs_what_was_said_and_kept_to_refer_to() {
    let small = WindowBits::new(12).expect("12 bits");
    let takeover = |takeover| {
        let context = Context {
            takeover,
            window: small,
        };
        Agreement {
            server: context,
            client: context,
        }
    };
    // Two boxes, and nothing in them.
    let idle = cost(&DeflateConfig::default(), takeover(true), nothing);
    assert!(idle <= 600, "{idle} bytes unused");
    // 1 KiB that was sent and five bytes that were received.
    let used = cost(&DeflateConfig::default(), takeover(true), exchange);
    assert!(used <= 600 + 1536, "{used} bytes after a message each way");
    let tiny = cost(&DeflateConfig::tiny(), takeover(false), exchange);
    assert!(tiny <= 600, "{tiny} bytes without takeover");
    // What has come of a message, and no codec.
    let stalled = cost(&DeflateConfig::default(), takeover(true), stall);
    assert!(stalled <= 600 + 4096, "{stalled} bytes inside a message");
    println!("{idle} bytes unused, {used} after a message each way, {tiny} without takeover,");
    println!("{stalled} where the peer has stopped after 4000 bytes of a message");
}
