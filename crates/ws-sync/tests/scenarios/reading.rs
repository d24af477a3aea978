//! How much is read at once, and how long that may take.

use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{Config, Message, WebSocket};
use ws_testkit::{ChoppedIo, Frame, Step, vectors};

use crate::chopped::{Bound, Chopped, is_would_block};

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

/// The end of each message comes alone. The read buffer stays as large as the messages need it.
///
/// spec: F-10
#[test]
fn large_messages_take_few_reads() {
    const MESSAGES: usize = 20;
    let message = Frame::binary(vec![7; 65_536]).masked(vectors::KEY).bytes();
    let (io, remote) = ChoppedIo::scripted(&message.repeat(MESSAGES));
    let steps = [Step::Bytes(65_536), Step::Bytes(message.len() - 65_536)];
    let io = io.with_read_steps(steps.into_iter().cycle().take(1_000));
    let mut ws = WebSocket::server(Chopped::new(io), config(), BytesMut::new());
    for _ in 0..MESSAGES {
        let received = ws.recv().expect("received").expect("a message");
        assert_eq!(received.len(), 65_536);
    }
    // Twice for each, and a few until the read buffer has grown.
    let reads = remote.operations();
    assert!(reads <= 2 * MESSAGES + 10, "{reads}");
}

/// The shortest bound there is takes the place of none at all, which the operating system would refuse.
///
/// spec: CD-04
#[test]
fn a_timeout_of_the_caller_may_be_zero() {
    let (io, _remote) = ChoppedIo::scripted(vectors::CLIENT_TEXT);
    let io = Chopped::new(io.without_waiting());
    let bounds = io.bounds();
    let mut ws = WebSocket::server(io, config(), BytesMut::new());
    ws.set_read_timeout(Some(Duration::ZERO));
    ws.set_write_timeout(Some(Duration::ZERO));
    assert_eq!(ws.recv().expect("received"), Some(Message::text("Hello")));
    ws.send("Hello").expect("sent");
    assert!(is_would_block(&ws.recv()));
    let shortest = Some(Duration::from_millis(1));
    assert_eq!(
        bounds.take(),
        [Bound::Read(shortest), Bound::Write(shortest)]
    );
}
