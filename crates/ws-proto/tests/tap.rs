//! What a tap sees: each frame header, both ways, once it is accepted or queued.

use std::sync::{Arc, Mutex};

use ws_proto::{
    CloseCode, Config, Connection, Direction, FrameHeader, MaskKey, Message, Opcode,
    PreparedMessage, TappedFrame, Traffic,
};
use ws_testkit::{Alone, Chunks, Frame, Pair, Prng, vectors};

const KEY: [u8; 4] = vectors::KEY;

/// What a tap has seen.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<TappedFrame>>>);

impl Log {
    /// A log of what `connection` does from now on.
    fn of(connection: &mut Connection) -> Self {
        let log = Self::default();
        let frames = log.clone();
        let tap = move |frame: &TappedFrame| frames.0.lock().expect("no panic").push(*frame);
        connection.set_tap(Some(Box::new(tap)));
        log
    }

    /// What it has seen since the last time.
    fn take(&self) -> Vec<TappedFrame> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    /// The same in short: direction, opcode, FIN, header and payload length.
    fn frames(&self) -> Vec<(Direction, Opcode, bool, usize, u64)> {
        let short = |frame: TappedFrame| {
            let header = frame.header;
            assert!(header.rsv.is_empty());
            (
                frame.direction,
                header.opcode,
                header.fin,
                frame.header_len,
                header.payload_len,
            )
        };
        self.take().into_iter().map(short).collect()
    }
}

#[test]
fn a_conversation_frame_by_frame() {
    use Direction::{Received, Sent};
    use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
    let config = Config::default().with_fragment_size(Some(400));
    let mut server = Alone::server_with(config);
    let log = Log::of(&mut server.connection);

    server.receive(vectors::CLIENT_TEXT);
    assert_eq!(log.frames(), [(Received, Text, true, 6, 5)]);
    let fragments = [
        Frame::binary(vec![7; 300]).not_fin().masked(KEY),
        Frame::ping("ping").masked(KEY),
        Frame::continuation(vec![7; 70_000]).masked(KEY),
    ];
    server.receive(&fragments.map(|frame| frame.bytes()).concat());
    assert_eq!(
        log.frames(),
        [
            (Received, Binary, false, 8, 300),
            (Received, Ping, true, 6, 4),
            (Sent, Pong, true, 2, 4),
            (Received, Continuation, true, 14, 70_000),
        ]
    );

    let message = Message::text("x".repeat(500));
    server.connection.send(message).expect("open");
    server.connection.ping(b"").expect("open");
    let prepared = PreparedMessage::from(Message::text("prepared"));
    server.connection.send_prepared(&prepared).expect("open");
    assert_eq!(
        log.frames(),
        [
            (Sent, Text, false, 4, 400),
            (Sent, Continuation, true, 2, 100),
            (Sent, Ping, true, 2, 0),
            (Sent, Text, true, 2, 8),
        ]
    );

    server.receive(vectors::CLIENT_CLOSE_1001_BYE);
    assert_eq!(
        log.frames(),
        [(Received, Close, true, 6, 5), (Sent, Close, true, 2, 2)]
    );
    // After the end there are no frames.
    server.receive(vectors::CLIENT_TEXT);
    assert_eq!(log.frames(), []);
}

#[test]
fn a_header_is_shown_when_it_is_accepted() {
    // The payload is still on its way.
    let mut server = Alone::server();
    let log = Log::of(&mut server.connection);
    let (header, payload) = vectors::CLIENT_TEXT.split_at(6);
    server.receive(&header[..5]);
    assert_eq!(log.take(), []);
    server.receive(&header[5..]);
    let [frame] = log.take()[..] else {
        panic!("one frame");
    };
    assert_eq!(frame.header.mask, Some(MaskKey::new(KEY)));
    server.receive(payload);
    assert_eq!(log.take(), []);
}

#[test]
fn a_header_that_is_refused_is_not_shown() {
    let too_large = Frame::binary("").announcing(1 << 40).masked(KEY).header();
    let unexpected = Frame::continuation("").masked(KEY).bytes();
    for bad in [&b"\xff"[..], vectors::SERVER_TEXT, &too_large, &unexpected] {
        let mut server = Alone::server();
        let log = Log::of(&mut server.connection);
        server.receive(bad);
        assert!(server.error.is_some());
        let seen: Vec<_> = log.take().iter().map(|frame| frame.direction).collect();
        assert_eq!(seen, [Direction::Sent], "our Close");
    }
}

#[test]
fn a_tap_can_be_taken_off() {
    let mut server = Alone::server();
    let first = Log::of(&mut server.connection);
    server.receive(vectors::CLIENT_TEXT);
    let second = Log::of(&mut server.connection);
    server.receive(vectors::CLIENT_TEXT);
    server.connection.set_tap(None);
    server.receive(vectors::CLIENT_TEXT);
    assert_eq!((first.take().len(), second.take().len()), (1, 1));
}

/// The headers in `bytes`, which are whole frames.
fn headers(mut bytes: &[u8]) -> Vec<FrameHeader> {
    let mut headers = Vec::new();
    while let Some((header, header_len)) = FrameHeader::parse(bytes).expect("good frames") {
        let payload_len = usize::try_from(header.payload_len).expect("it is in memory");
        bytes = &bytes[header_len + payload_len..];
        headers.push(header);
    }
    assert_eq!(bytes, b"");
    headers
}

/// What the frames of one direction come to.
fn total(frames: &[TappedFrame]) -> (u64, u64) {
    let len = |frame: &TappedFrame| frame.header_len as u64 + frame.header.payload_len;
    (frames.iter().map(len).sum(), frames.len() as u64)
}

fn counted(traffic: Traffic) -> (u64, u64) {
    (traffic.bytes, traffic.frames)
}

#[test]
fn what_taps_see_is_what_is_on_the_wire_and_what_is_counted() {
    for seed in 0..20 {
        let mut prng = Prng::new(seed);
        let config = Config::default()
            .with_ping_interval(None)
            .with_fragment_size(Some(1 + prng.below(5000)));
        let mut pair = Pair::with_configs(config.clone(), config)
            .with_chunks(Chunks::random(seed, 1000), Chunks::random(seed + 1, 1000));
        let logs = [
            Log::of(&mut pair.client.connection),
            Log::of(&mut pair.server.connection),
        ];
        for _ in 0..50 {
            let end = if prng.below(2) == 0 {
                &mut pair.client
            } else {
                &mut pair.server
            };
            let payload = vec![7; prng.below(20_000)];
            match prng.below(5) {
                0 => end.connection.ping(&payload[..payload.len().min(125)]),
                1 => end
                    .connection
                    .send_prepared(&Message::binary(payload).into()),
                _ => end
                    .connection
                    .send(Message::binary(payload))
                    .map_err(Into::into),
            }
            .expect("open");
            pair.drive();
        }
        let closed = pair.server.connection.close(CloseCode::NORMAL, "bye");
        assert_eq!(closed, Ok(()));
        pair.drive();
        for (end, log, written) in [
            (&pair.client, &logs[0], [&pair.server, &pair.client]),
            (&pair.server, &logs[1], [&pair.client, &pair.server]),
        ] {
            let seen = log.take();
            let stats = end.connection.stats();
            let ways = [
                (Direction::Received, stats.received),
                (Direction::Sent, stats.sent),
            ];
            for ((direction, traffic), writer) in ways.into_iter().zip(written) {
                let is_this_way = |frame: &&TappedFrame| frame.direction == direction;
                let frames: Vec<_> = seen.iter().filter(is_this_way).copied().collect();
                assert_eq!(total(&frames), counted(traffic), "seed {seed}");
                let tapped: Vec<_> = frames.iter().map(|frame| frame.header).collect();
                assert_eq!(tapped, headers(&writer.written), "seed {seed}");
            }
        }
    }
}
