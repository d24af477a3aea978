//! What compression costs a connection that waits. In a program of its own, for it looks at the memory of the process.
#![cfg(all(feature = "deflate", target_os = "linux"))]

use bytes::Buf;
use ws_proto::{
    Agreement, Compress, Config, Connection, Context, DeflateConfig, Message, WindowBits,
};
use ws_testkit::{Frame, vectors};

const CONNECTIONS: usize = 2000;

/// The resident memory of this process, in bytes. Pages are taken for the smallest there are.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("it can be read");
    let pages = statm.split_whitespace().nth(1).expect("the second field");
    pages.parse::<usize>().expect("a number") * 4096
}

/// Bytes for each connection beyond what `per_connection` leaves where nothing was agreed.
fn cost(config: &DeflateConfig, agreed: Agreement, used: bool) -> usize {
    let config = Config::default()
        .with_deflate(config.clone())
        .with_agreed(Some(agreed));
    let compressed = Frame::text(b"\xf2\x48\xcd\xc9\xc9\x07\x00")
        .with_rsv(0b100)
        .masked(vectors::KEY)
        .bytes();
    // One goes first, so that what all share is not counted.
    let mut connections = Vec::with_capacity(CONNECTIONS + 1);
    let mut before = 0;
    for at in 0..=CONNECTIONS {
        let mut server = Connection::server(config.clone());
        if used || at == 0 {
            let message = Message::text("some words to be compressed. ".repeat(36));
            server
                .send_with(message, Compress::Always)
                .expect("it is sent");
            let len = server.transmit().remaining();
            server.transmit().advance(len);
            server.receive_buffer().extend_from_slice(&compressed);
            while server.poll_event().expect("good").is_some() {}
            server.park();
        }
        connections.push(server);
        if at == 0 {
            before = resident();
        }
    }
    // The vector's own pages are among what was taken.
    (resident().saturating_sub(before) / CONNECTIONS).saturating_sub(size_of::<Connection>())
}

/// spec: PM-05
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
    let idle = cost(&DeflateConfig::default(), takeover(true), false);
    assert!(idle <= 600, "{idle} bytes unused");
    // 1 KiB that was sent and five bytes that were received.
    let used = cost(&DeflateConfig::default(), takeover(true), true);
    assert!(used <= 600 + 1536, "{used} bytes after a message each way");
    let tiny = cost(&DeflateConfig::tiny(), takeover(false), true);
    assert!(tiny <= 600, "{tiny} bytes without takeover");
    println!("{idle} bytes unused, {used} after a message each way, {tiny} without takeover");
}
