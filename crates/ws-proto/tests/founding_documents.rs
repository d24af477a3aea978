//! Defects that hand-written WebSocket tutorials and their copies have, and that must not come back. Each test is
//! named after its row in the project's list of them.

use ws_frame::HeaderError;
use ws_proto::{CloseCode, Config, Event, Message, ProtocolError, Role, State};
use ws_testkit::{Alone, Chunks, Frame, Pair, vectors};

const KEY: [u8; 4] = vectors::KEY;
const CHINESE: &str = vectors::CHINESE;

fn hello() -> Event {
    Event::Message(Message::text("Hello"))
}

#[test]
fn x01_a_read_is_not_a_frame() {
    // spec: F-09, F-10
    // "One recv of 8096 bytes is the whole frame": a byte at a time, and two frames in one read.
    let mut server = Alone::server();
    let mut events = Vec::new();
    for byte in vectors::CLIENT_TEXT {
        events.extend(server.receive(&[*byte]));
    }
    assert_eq!(events, [hello()]);
    let events = server.receive(&vectors::CLIENT_TEXT.repeat(2));
    assert_eq!(events, [hello(), hello()]);
    // A message longer than any such buffer.
    let long = CHINESE.repeat(1000);
    let frame = Frame::text(&*long).masked(KEY).bytes();
    let mut events = Vec::new();
    for read in frame.chunks(8096) {
        events.extend(server.receive(read));
    }
    assert_eq!(events, [Event::Message(Message::text(long))]);
}

#[test]
fn x01_a_first_frame_may_come_with_the_handshake() {
    // spec: F-15, H-28, K-24
    // "Whatever stands behind the blank line is dropped."
    let received = bytes::BytesMut::from(vectors::CLIENT_TEXT);
    let connection = ws_proto::Connection::server(Config::default());
    let mut server = Alone::new(connection.with_received(received));
    assert_eq!(server.events(), [hello()]);
    // Also half of one.
    let half = bytes::BytesMut::from(&vectors::CLIENT_TEXT[..3]);
    let connection = ws_proto::Connection::server(Config::default());
    let mut server = Alone::new(connection.with_received(half));
    assert_eq!(server.events(), []);
    assert_eq!(server.receive(&vectors::CLIENT_TEXT[3..]), [hello()]);
}

#[test]
fn x02_the_payload_ends_where_its_length_says() {
    // spec: F-04, F-07, F-10
    // "The payload is the rest of the buffer": the next frame became part of the text.
    for len in [5, 125, 126, 127, 65_535, 65_536] {
        let payload = vec![b'a'; len];
        let frame = Frame::text(payload.clone()).masked(KEY).bytes();
        let text = String::from_utf8(payload).expect("it is all a");
        let expected = Event::Message(Message::text(text));
        let mut server = Alone::server();
        let together = [&frame[..], vectors::CLIENT_TEXT, &frame].concat();
        assert_eq!(
            server.receive(&together),
            [expected.clone(), hello(), expected.clone()]
        );
        // And it is not there before all of it has come.
        let (most, last) = frame.split_at(frame.len() - 1);
        assert_eq!(server.receive(most), []);
        assert_eq!(server.receive(last), [expected]);
    }
}

#[test]
fn x03_every_opcode_means_something_else() {
    // spec: F-03, C-03, C-06, C-13, G-01
    // "FIN, RSV and opcode are not needed here": a Ping was echoed as text, a Close was never answered.
    let mut server = Alone::server();
    let frames = [
        Frame::binary("b"),
        Frame::text("t").not_fin(),
        Frame::continuation("t"),
        Frame::ping("p"),
        Frame::pong("q"),
        Frame::close(1000, ""),
    ];
    let bytes: Vec<u8> = frames
        .into_iter()
        .flat_map(|frame| frame.masked(KEY).bytes())
        .collect();
    let events = server.receive(&bytes);
    assert_eq!(
        events[..4],
        [
            Event::Message(Message::binary(&b"b"[..])),
            Event::Message(Message::text("tt")),
            Event::Ping("p".into()),
            Event::Pong("q".into()),
        ]
    );
    assert!(matches!(events[4..], [Event::Closed(Some(_))]));
    assert_eq!(server.sent(), b"\x8a\x01p\x88\x02\x03\xe8");
    // RSV and the reserved opcodes are refused.
    for bad in [Frame::text("").with_rsv(0b010), Frame::new(0xb, "")] {
        let mut server = Alone::server();
        server.receive(&bad.masked(KEY).bytes());
        assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    }
}

#[test]
fn x04_the_mask_bit_is_looked_at() {
    // spec: M-02, M-04
    // "Bytes 2 to 6 are the mask": an unmasked frame became garbage, a short one an index out of range.
    for short in [&b"\x81\x00"[..], b"\x81\x01a", vectors::SERVER_TEXT] {
        let mut server = Alone::server();
        assert_eq!(server.receive(short), []);
        assert_eq!(server.error, Some(ProtocolError::UnmaskedFrame));
        assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    }
    let mut client = Alone::client();
    assert_eq!(client.receive(vectors::CLIENT_TEXT), []);
    assert_eq!(client.error, Some(ProtocolError::MaskedFrame));
}

#[test]
fn x05_chinese_text_is_not_one_character_a_byte() {
    // spec: U-01, U-02, M-06
    // "chr(byte ^ mask)" made mojibake of it; and a character may be cut by fragments, reads and the mask.
    let mut pair = Pair::new().with_chunks(Chunks::Exactly(1), Chunks::Exactly(1));
    for text in ["你好", "😀", CHINESE, "中文 and ASCII 和 emoji 🎉"] {
        pair.client
            .connection
            .send(Message::text(text))
            .expect("open");
        pair.drive();
        let last = pair.server.messages().pop();
        assert_eq!(last.as_ref().and_then(Message::as_text), Some(text));
        pair.server
            .connection
            .send(Message::text(text))
            .expect("open");
        pair.drive();
        assert_eq!(pair.client.messages().pop(), Some(Message::text(text)));
    }
    let bytes = CHINESE.as_bytes();
    for cut in 0..=bytes.len() {
        let mut server = Alone::server();
        let first = Frame::text(&bytes[..cut]).not_fin().masked(KEY);
        let last = Frame::continuation(&bytes[cut..]).masked([1, 2, 3, 4]);
        let events = server.receive(&[first.bytes(), last.bytes()].concat());
        assert_eq!(events, [Event::Message(Message::text(CHINESE))]);
    }
}

#[test]
fn x06_text_that_is_not_utf8_does_not_bring_the_server_down() {
    // spec: U-01, CC-37
    // "str(bytes, 'utf-8')" without a guard.
    for (bytes, _) in vectors::NOT_UTF8 {
        let mut server = Alone::server();
        assert_eq!(server.receive(&Frame::text(*bytes).masked(KEY).bytes()), []);
        assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
        assert_eq!(server.sent(), b"\x88\x02\x03\xef");
    }
}

#[test]
fn x07_lengths_are_bytes_and_not_characters() {
    // spec: F-07, F-04
    // "struct.pack('!BB', 0x81, len(text))": 42 characters of Chinese are 126 bytes.
    for (chars, header) in [
        (41, &b"\x81\x7b"[..]),
        (42, b"\x81\x7e\x00\x7e"),
        (21_845, b"\x81\x7e\xff\xff"),
        (21_846, b"\x81\x7f\0\0\0\0\0\x01\0\x02"),
    ] {
        let text = "中".repeat(chars);
        let mut server = Alone::server();
        server.connection.send(Message::text(&*text)).expect("open");
        let sent = server.sent();
        assert_eq!(sent[..header.len()], *header);
        assert_eq!(sent.len(), header.len() + 3 * chars);
        let mut client = Alone::client();
        let events = client.receive(&sent);
        assert_eq!(events, [Event::Message(Message::text(text))]);
    }
}

#[test]
fn x15_the_peer_may_be_gone_at_any_byte() {
    // spec: C-23, CC-44
    // An empty read gave an index error or an endless loop.
    let conversation = [
        vectors::CLIENT_TEXT,
        vectors::CLIENT_FRAGMENTS,
        vectors::CLIENT_PING,
        vectors::CLIENT_CLOSE_1000,
    ]
    .concat();
    let whole = conversation.len();
    for cut in 0..=whole {
        let mut server = Alone::server();
        server.receive(&conversation[..cut]);
        server.receive_eof();
        server.sent();
        let info = server.connection.close_info().expect("it is over");
        if cut == whole {
            assert_eq!((info.code().get(), info.clean), (1000, true));
            assert_eq!(server.error, None);
        } else {
            assert_eq!((info.code().get(), info.clean), (1006, false));
            assert_eq!(server.error, Some(ProtocolError::ConnectionLost));
        }
        // It is over, and stays so: nothing to wait for, nothing to do.
        assert!(server.connection.is_finished());
        assert_eq!(server.events(), []);
        let now = std::time::Duration::from_secs(1);
        assert_eq!(server.connection.poll_timeout(now), None);
    }
}

#[test]
fn x16_an_empty_message_is_a_message() {
    // spec: F-13, G-05
    // "if data:" would not send one.
    let mut pair = Pair::new();
    let empty = [Message::text(""), Message::binary(vec![])];
    for message in empty.clone() {
        let client = &mut pair.client.connection;
        client.send(message.clone()).expect("open");
        let server = &mut pair.server.connection;
        server.send(message).expect("open");
    }
    pair.drive();
    assert_eq!(pair.client.messages(), empty);
    assert_eq!(pair.server.messages(), empty);
}

#[test]
fn x17_a_length_has_63_bits() {
    // spec: F-05, F-12
    // "Up to 2**64 - 1."
    let frame = |len| Frame::binary("").announcing(len).masked(KEY).header();
    let mut server = Alone::server();
    server.receive(&frame(1 << 63));
    let error = ProtocolError::Header(HeaderError::LengthOverflow);
    assert_eq!(server.error, Some(error));
    assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    // 2^63 - 1 is a length, and too long for us.
    let mut server = Alone::server();
    server.receive(&frame((1 << 63) - 1));
    assert_eq!(server.error, Some(ProtocolError::FrameTooLarge));
    assert_eq!(server.sent(), b"\x88\x02\x03\xf1");
}

#[test]
fn x17_text_is_taken_from_bytes_and_not_from_their_printed_form() {
    // spec: U-08
    // Backslashes, quotes and control characters went through the repr of a byte string.
    for text in [
        "\\x81\\x05",
        "b'quoted'",
        "\\\\",
        "\n\r\t\0",
        "'\"",
        "\u{7f}",
    ] {
        let mut server = Alone::server();
        let events = server.receive(&Frame::text(text).masked(KEY).bytes());
        assert_eq!(events, [Event::Message(Message::text(text))]);
    }
}

#[test]
fn x18_there_are_limits_and_deadlines_by_default() {
    // spec: S-01, S-07, S-08, C-28, C-35
    let config = Config::default();
    assert_eq!(config.max_message_size, 16 << 20);
    assert_eq!(config.max_frame_size, 16 << 20);
    assert_eq!(config.max_fragments, 65_536);
    assert_eq!(config.write_buffer_high, 64 << 10);
    assert_eq!(config.write_buffer_limit, 1 << 20);
    let seconds = |duration: Option<std::time::Duration>| duration.map(|d| d.as_secs());
    assert_eq!(seconds(config.ping_interval), Some(30));
    assert_eq!(config.pong_timeout.as_secs(), 20);
    assert_eq!(seconds(config.close_timeout), Some(10));
    assert_eq!(seconds(config.handshake_timeout), Some(10));

    let mut server = Alone::server();
    let frame = Frame::binary("").announcing((16 << 20) + 1).masked(KEY);
    server.receive(&frame.header());
    assert_eq!(server.sent(), b"\x88\x02\x03\xf1");
}

#[test]
fn x22_fragments_are_reassembled() {
    // spec: G-01
    // "Fragmented control frame" was only a warning, and fragments came out one by one.
    let mut client = Alone::client();
    let bytes = [
        Frame::text("中").not_fin().bytes(),
        Frame::continuation("文").bytes(),
    ];
    let events = client.receive(&bytes.concat());
    assert_eq!(events, [Event::Message(Message::text("中文"))]);
}

#[test]
fn x22_reserved_bits_are_more_than_a_warning() {
    // spec: F-02
    let mut client = Alone::client();
    assert_eq!(
        client.receive(&Frame::text("x").with_rsv(0b001).bytes()),
        []
    );
    assert_eq!(client.error, Some(ProtocolError::ReservedBits));
}

#[test]
fn x22_binary_goes_out_as_binary() {
    // spec: F-03
    let mut client = Alone::client();
    client
        .connection
        .send(Message::binary(&b"x"[..]))
        .expect("open");
    assert_eq!(client.sent(), Frame::binary("x").masked(KEY).bytes());
}

#[test]
fn x22_closing_sends_a_close_frame_and_answers_one() {
    // spec: C-13, CC-30, CC-32
    // It sent an empty text, and left an empty Close without an answer.
    let mut client = Alone::client();
    client.connection.close_without_code().expect("open");
    assert_eq!(client.sent(), vectors::CLIENT_CLOSE_EMPTY);
    let mut client = Alone::client();
    client.receive(&Frame::close_body("").bytes());
    assert_eq!(client.sent(), vectors::CLIENT_CLOSE_EMPTY);
    assert_eq!(client.connection.state(), State::Closed);
    assert_eq!(client.connection.role(), Role::Client);
}

#[test]
fn x22_sending_has_a_bound() {
    // spec: S-07
    // There was no drain: a slow reader let the writer's memory grow.
    let mut server = Alone::server();
    let mut sent = 0;
    while server
        .connection
        .send(Message::binary(vec![0; 10_000]))
        .is_ok()
    {
        sent += 1;
        assert!(sent < 1000);
    }
    assert!(server.connection.wants_flush());
    assert_eq!(sent, 105);
    assert_eq!(server.connection.close(CloseCode::NORMAL, ""), Ok(()));
}
