//! What a bomb costs before it is refused. In a program of its own, for it looks at the memory of the process.
#![cfg(all(feature = "deflate", target_os = "linux"))]

use ws_proto::{Agreement, Config, Event, ProtocolError};
use ws_testkit::blocks::{END, repeats, stored};
use ws_testkit::{Alone, Frame, vectors};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const LIMIT: usize = 4 * MIB;

/// The resident memory of this process in bytes, now (`VmRSS`) or at its highest (`VmHWM`).
fn resident(which: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("it can be read");
    let line = status.lines().find(|line| line.starts_with(which));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.expect("it is told").parse::<usize>().expect("a number") * KIB
}

/// A server receives a message that comes to 8 MiB, in reads of 16 KiB, and delivers it whole, or in pieces, all or only
/// the first of them. Gives how it failed and how much came out.
fn receive(wire: &[u8], streams: bool, discards: bool) -> (Option<ProtocolError>, usize) {
    let config = Config::default()
        .with_max_message_size(LIMIT)
        .with_agreed(Some(Agreement::default()));
    let mut server = Alone::server_with(config);
    if streams {
        server.connection.stream_message(u64::MAX);
    }
    let mut given = 0;
    for read in wire.chunks(16 * KIB) {
        server.connection.receive_buffer().extend_from_slice(read);
        loop {
            match server.connection.poll_event() {
                Ok(Some(Event::Chunk(chunk))) => given += chunk.data.len(),
                Ok(Some(event)) => assert_eq!(event, Event::Part),
                Ok(None) => break,
                Err(error) => server.error = Some(error),
            }
            if discards && given > 0 {
                server.connection.discard_message();
            }
        }
    }
    (server.error, given)
}

/// spec: PM-01, PM-02
#[test]
fn a_bomb_costs_its_limit_and_little_more() {
    let count = 2 * LIMIT / 258;
    let bomb = [&stored(b"a")[..], &repeats(count), END].concat();
    let text = Frame::text(bomb.as_slice()).with_rsv(0b100);
    let binary = Frame::binary(bomb.as_slice()).with_rsv(0b100);
    let mut fragments: Vec<Frame> = bomb
        .chunks(100)
        .map(|part| Frame::continuation(part).not_fin())
        .collect();
    fragments[0] = Frame::text(&bomb[..100]).with_rsv(0b100).not_fin();
    fragments.last_mut().expect("there are some").fin = true;
    let messages = [vec![text], vec![binary], fragments].map(|frames| {
        let frames = frames.into_iter().map(|frame| frame.masked(vectors::KEY));
        frames.flat_map(|frame| frame.bytes()).collect::<Vec<_>>()
    });
    let before = resident("VmRSS");
    let cost = || resident("VmHWM").saturating_sub(before);
    let [text, binary, fragments] = &messages;
    assert_eq!(receive(text, true, false), (None, 258 * count + 1));
    let (error, given) = receive(fragments, true, true);
    assert!(error.is_none() && given <= 16 * KIB, "{given}");
    assert!(cost() <= MIB, "{} bytes in pieces", cost());
    for wire in [text, binary, fragments] {
        let refused = (Some(ProtocolError::MessageTooLarge), 0);
        assert_eq!(receive(wire, false, false), refused);
    }
    assert!(cost() <= LIMIT + MIB, "{} bytes whole", cost());
}
