//! Messages that are delivered in pieces while they arrive.

use bytes::BytesMut;
use ws_proto::{
    Chunk, CloseCode, Config, Event, Message, MessageKind, ProtocolError, SendError, State,
};
use ws_testkit::oracle::could_become_utf8;
use ws_testkit::{Alone, Frame, vectors};

use MessageKind::Text;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const NO_LIMIT: u64 = u64::MAX;

/// A client: what it receives has no mask and can be written down.
fn client(config: Config) -> Alone {
    Alone::client_with(config.with_ping_interval(None))
}

fn streaming() -> Alone {
    let mut end = client(Config::default());
    end.connection.stream_message(NO_LIMIT);
    end
}

fn chunk(event: &Event) -> &Chunk {
    match event {
        Event::Chunk(chunk) => chunk,
        other => panic!("{other:?} is no chunk"),
    }
}

/// The events as data and what it is: `<` for the first piece of a message, `>` for the last, `!` for a Ping, the data
/// alone for a whole message.
fn told(events: &[Event]) -> Vec<String> {
    let tell = |event: &Event| match event {
        Event::Message(message) => String::from_utf8_lossy(message.as_bytes()).into_owned(),
        Event::Ping(_) => "!".to_owned(),
        Event::Chunk(chunk) => {
            let first = if chunk.first { "<" } else { "" };
            let last = if chunk.last { ">" } else { "" };
            format!("{first}{}{last}", String::from_utf8_lossy(&chunk.data))
        }
        other => format!("{other:?}"),
    };
    events.iter().map(tell).collect()
}

#[test]
fn a_message_comes_as_it_arrives() {
    // spec: G-09
    let mut client = streaming();
    assert_eq!(told(&client.receive(b"\x82")), [""; 0]);
    assert_eq!(told(&client.receive(b"\x06")), [""; 0]);
    assert_eq!(told(&client.receive(b"ab")), ["<ab"]);
    assert_eq!(told(&client.receive(b"c")), ["c"]);
    assert_eq!(told(&client.receive(b"def\x81\x01x")), ["def>", "x"]);
}

#[test]
fn fragments_are_pieces() {
    // spec: G-05, G-06, G-09
    let mut client = streaming();
    let events = client.receive(b"\x01\x02ab\x00\x00\x89\x00\x00\x01c\x80\x00\x82\x01x");
    assert_eq!(told(&events), ["<ab", "!", "c", ">", "x"]);
    assert_eq!(chunk(&events[3]).kind, Text);
    assert_eq!(chunk(&events[3]).as_text(), Some(""));
    assert_eq!(client.connection.stats().received.messages, 2);
}

#[test]
fn a_message_that_has_arrived_is_one_piece() {
    // spec: F-13, G-09
    for (bytes, data) in [
        (&b"\x82\x03abc"[..], "<abc>"),
        (b"\x82\x00", "<>"),
        (b"\x81\x02\xc3\xa9", "<é>"),
    ] {
        assert_eq!(told(&streaming().receive(bytes)), [data]);
    }
}

#[test]
fn what_has_arrived_of_it_is_the_first_piece() {
    // spec: G-09
    let cases: [(&[u8], &str, &[u8], &str); 5] = [
        // Half a frame, which lies where it was received.
        (b"\x82\x04ab", "<ab", b"cd", "cd>"),
        // Fragments, which have been assembled, and half of another.
        (b"\x02\x01a\x00\x01b\x80\x03c", "<abc", b"de", "de>"),
        // The same behind a part of a Ping.
        (b"\x02\x02ab\x89\x05xx", "<ab", b"xxx\x80\x00", "!"),
        // A text up to the middle of a character.
        (b"\x81\x04a\xe2\x82", "<a", b"\xac", "€>"),
        // Less than a header.
        (b"\x82", "", b"\x01a", "<a>"),
    ];
    for (before, first, after, second) in cases {
        let mut client = client(Config::default());
        assert_eq!(told(&client.receive(before)), [""; 0]);
        client.connection.stream_message(NO_LIMIT);
        assert_eq!(told(&client.events()).concat(), first, "{before:x?}");
        assert_eq!(told(&client.receive(after))[0], second, "{before:x?}");
    }
}

#[test]
fn nothing_is_copied_that_need_not_be() {
    // spec: G-09
    let text = "é".repeat(5000);
    for (frame, rest, pieces) in [
        (Frame::binary(text.clone()), 4000, 1),
        (Frame::text(text.clone()), 4000, 1),
        // A character that is cut is a piece by itself, rather than that what follows it is copied behind it.
        (Frame::text(text.clone()), 4001, 2),
    ] {
        let bytes = frame.bytes();
        let (before, after) = bytes.split_at(bytes.len() - rest);
        let mut client = streaming();
        for (part, pieces) in [(before, 1), (after, pieces)] {
            let received = BytesMut::from(part);
            let end = received.as_ptr_range().end;
            client.connection.handle_received(received);
            let events = client.events();
            assert_eq!(events.len(), pieces);
            let last = events.last().expect("something arrived");
            let shared = chunk(last).data.as_ptr_range();
            // Half a character may be held back.
            assert!(end as usize - shared.end as usize <= 1, "{rest}");
        }
    }
}

#[test]
fn a_piece_of_text_is_text() {
    // spec: U-01, U-02
    for text in [vectors::CHINESE.as_bytes()].iter().chain(vectors::UTF8) {
        for cut in 0..=text.len() {
            let (first, second) = text.split_at(cut);
            for bytes in [
                [Frame::text(*text).bytes()].concat(),
                [
                    Frame::text(first).not_fin().bytes(),
                    Frame::continuation(second).bytes(),
                ]
                .concat(),
            ] {
                let mut client = streaming();
                let mut joined = String::new();
                for byte in bytes {
                    for event in client.receive(&[byte]) {
                        let chunk = chunk(&event);
                        joined += chunk.as_text().expect("each piece is text");
                    }
                }
                assert_eq!(joined.as_bytes(), *text);
            }
        }
    }
}

#[test]
fn what_comes_before_bad_text_is_delivered_and_no_more() {
    // spec: U-03, U-04
    for (bytes, _) in vectors::NOT_UTF8 {
        let good: Vec<usize> = (0..=bytes.len())
            .filter(|end| std::str::from_utf8(&bytes[..*end]).is_ok())
            .collect();
        let good = &bytes[..*good.last().expect("nothing is text")];
        for len in 1..=bytes.len() + 2 {
            let mut client = streaming();
            let mut delivered = Vec::new();
            for part in Frame::text(*bytes).bytes().chunks(len) {
                for event in client.receive(part) {
                    delivered.extend_from_slice(&chunk(&event).data);
                    assert!(!chunk(&event).last);
                }
            }
            assert_eq!(client.error, Some(ProtocolError::InvalidUtf8));
            assert!(could_become_utf8(&delivered));
            assert_eq!(delivered, good, "{bytes:x?} in pieces of {len}");
        }
    }
}

#[test]
fn the_limits_are_lifted_for_one_message() {
    // spec: S-01, G-11
    let config = Config::default()
        .with_max_frame_size(10)
        .with_max_message_size(20);
    let frame = Frame::binary([b'x'; 50]).bytes();
    let mut client = client(config);
    client.connection.stream_message(50);
    assert_eq!(told(&client.receive(&frame)).len(), 1);
    assert_eq!(client.receive(&frame), []);
    assert_eq!(client.error, Some(ProtocolError::FrameTooLarge));
}

#[test]
fn its_own_limit_holds_on_the_header() {
    // spec: S-01, F-11, G-11
    for frames in [
        vec![Frame::binary("").announcing(51).header()],
        vec![
            Frame::binary([b'x'; 30]).not_fin().bytes(),
            Frame::continuation("").announcing(21).header(),
        ],
        vec![Frame::binary("").announcing((1 << 63) - 1).header()],
    ] {
        let mut client = client(Config::default());
        client.connection.stream_message(50);
        client.receive(&frames.concat());
        assert_eq!(client.error, Some(ProtocolError::MessageTooLarge));
        let close = client.sent();
        assert_eq!(close[0], 0x88);
    }
    // It may be changed on the way, for what has not been announced.
    let mut client = client(Config::default());
    client.connection.stream_message(50);
    assert_eq!(client.receive(b"\x02\x1eab").len(), 1);
    client.connection.stream_message(10);
    assert_eq!(client.receive(&[b'x'; 28]).len(), 1);
    assert_eq!(client.receive(b"\x80\x00"), []);
    assert_eq!(client.error, Some(ProtocolError::MessageTooLarge));
}

#[test]
fn only_empty_fragments_are_counted() {
    // spec: G-12, S-01
    let config = Config::default().with_max_fragments(3);
    let mut client = client(config);
    client.connection.stream_message(NO_LIMIT);
    let filled = b"\x00\x01x".repeat(100);
    assert_eq!(client.receive(b"\x02\x01x").len(), 1);
    assert_eq!(client.receive(&filled).len(), 100);
    assert_eq!(client.receive(&b"\x00\x00".repeat(3)), []);
    assert_eq!(client.error, None);
    assert_eq!(client.receive(b"\x00\x00"), []);
    assert_eq!(client.error, Some(ProtocolError::TooManyFragments));
}

#[test]
fn a_message_larger_than_memory_costs_none() {
    // spec: S-02
    for frame_size in [100 * MIB, 3 * KIB] {
        let mut client = streaming();
        let frame = Frame::binary("").not_fin().announcing(frame_size as u64);
        let mut header = frame.header();
        let (mut total, mut in_frame) = (0, 0);
        while total < 20 * MIB {
            if in_frame == 0 {
                client.connection.receive_buffer().extend(header);
                let next = Frame::continuation("").not_fin();
                header = next.announcing(frame_size as u64).header();
            }
            let count = (16 * KIB).min(frame_size - in_frame);
            in_frame = (in_frame + count) % frame_size;
            let data: usize = client
                .receive(&vec![0; count])
                .iter()
                .map(|event| chunk(event).data.len())
                .sum();
            assert_eq!(data, count);
            total += count;
            let capacity = client.connection.receive_buffer().capacity();
            assert!(capacity <= 128 * KIB, "{capacity}");
            assert!(!client.connection.prefers_payload_buffer());
        }
    }
}

#[test]
fn the_rest_can_be_skipped() {
    // spec: G-09, G-04
    let mut client = streaming();
    assert_eq!(told(&client.receive(b"\x01\x04a\xe2\x82")), ["<a"]);
    client.connection.discard_message();
    // What it lacks is read all the same, and what comes between is told.
    let events = client.receive(b"\xac\x00\x02xx\x89\x00\x80\x01x\x81\x01b");
    assert_eq!(told(&events), ["!", "b"]);
    assert_eq!(client.connection.stats().received.messages, 2);
    assert_eq!(client.sent()[0], 0x8a);
}

#[test]
fn what_is_skipped_is_still_checked() {
    // spec: U-04, S-01
    for (rest, error) in [
        (&b"\xff"[..], ProtocolError::InvalidUtf8),
        (b"\xc3\x80\x00", ProtocolError::InvalidUtf8),
        (b"x\x80\x30", ProtocolError::MessageTooLarge),
        (b"x\x81\x00", ProtocolError::ExpectedContinuation),
    ] {
        let mut client = client(Config::default());
        client.connection.stream_message(40);
        assert_eq!(told(&client.receive(b"\x01\x02a")), ["<a"]);
        client.connection.discard_message();
        assert_eq!(client.receive(rest), []);
        assert_eq!(client.error, Some(error), "{rest:x?}");
        assert_eq!(client.events(), []);
    }
}

#[test]
fn what_was_not_begun_is_not_skipped() {
    // spec: G-09
    // The message comes whole, wherever it was when it was called off.
    for (before, after) in [
        (&b""[..], &b"\x81\x03\xe2\x82\xac"[..]),
        (b"\x81", b"\x03\xe2\x82\xac"),
        (b"\x81\x03", b"\xe2\x82\xac"),
        (b"\x81\x03\xe2\x82", b"\xac"),
        (b"\x01\x01\xe2", b"\x00\x01\x82\x80\x01\xac"),
        (b"\x01\x00\x00\x02\xe2", b"\x82\x80\x01\xac"),
    ] {
        let mut client = streaming();
        assert_eq!(client.receive(before), []);
        client.connection.discard_message();
        client.connection.discard_message();
        let events = client.receive(after);
        assert_eq!(events, [Event::Message(Message::text("€"))], "{before:x?}");
        // Asked for when all was there, and called off before it was looked at.
        let all = [before, after].concat();
        let mut client = Alone::client();
        client.connection.receive_buffer().extend_from_slice(&all);
        client.connection.stream_message(NO_LIMIT);
        client.connection.discard_message();
        assert_eq!(client.events(), [Event::Message(Message::text("€"))]);
    }
    // Asked for in the middle, and called off before anything was handed out.
    for before in [&b"\x82\x04ab"[..], b"\x02\x02ab\x80\x02"] {
        let mut client = Alone::client();
        assert_eq!(client.receive(before), []);
        client.connection.stream_message(NO_LIMIT);
        client.connection.discard_message();
        let events = client.receive(b"cd");
        assert_eq!(events, [Event::Message(Message::binary(&b"abcd"[..]))]);
    }
}

#[test]
fn a_message_that_comes_whole_after_all_keeps_the_limit_of_those() {
    // spec: S-01, S-02
    let config = Config::default().with_max_message_size(100);
    let mut client = client(config);
    client.connection.stream_message(NO_LIMIT);
    assert_eq!(client.receive(b"\x82\x7e\x10\x00"), []);
    client.connection.discard_message();
    assert_eq!(client.receive(&[0; 100]), []);
    assert_eq!(client.error, None);
    assert_eq!(client.receive(&[0; 1]), []);
    assert_eq!(client.error, Some(ProtocolError::MessageTooLarge));
}

#[test]
fn while_one_is_skipped_the_next_can_be_asked_for() {
    // spec: G-09
    let mut client = streaming();
    assert_eq!(told(&client.receive(b"\x02\x03a")), ["<a"]);
    client.connection.discard_message();
    client.connection.stream_message(5);
    let events = client.receive(b"bc\x80\x01d\x02\x01e\x80\x01f\x82\x01g");
    assert_eq!(told(&events), ["<e", "f>", "g"]);
    // And called off again.
    client.connection.stream_message(5);
    assert_eq!(told(&client.receive(b"\x02\x03a")), ["<a"]);
    client.connection.discard_message();
    client.connection.stream_message(5);
    client.connection.discard_message();
    let events = client.receive(b"bc\x80\x01d\x82\x01e");
    assert_eq!(told(&events), ["e"]);
}

#[test]
fn a_message_that_is_cut_off_has_no_last_piece() {
    // spec: G-13
    let mut ended = streaming();
    assert_eq!(told(&ended.receive(b"\x02\x01a\x00\x01")), ["<a"]);
    assert_eq!(ended.receive_eof(), []);
    assert_eq!(ended.error, Some(ProtocolError::ConnectionLost));

    let mut closed = streaming();
    let events = closed.receive(b"\x02\x01a\x88\x00\x80\x01b");
    assert_eq!(told(&events[..1]), ["<a"]);
    assert_eq!(events[1..], [Event::Closed(None)]);
    // After the end the wish means nothing.
    closed.connection.stream_message(NO_LIMIT);
    closed.connection.discard_message();
    assert_eq!(closed.receive(b"\x82\x01a"), []);
    assert_eq!(closed.connection.state(), State::Closed);
}

#[test]
fn a_wish_without_a_message_changes_nothing() {
    let mut client = streaming();
    let events = client.receive(b"\x89\x00\x8a\x00");
    assert_eq!(events.len(), 2);
    client.connection.discard_message();
    assert_eq!(told(&client.receive(b"\x82\x01a")), ["a"]);
    client.connection.discard_message();
    assert_eq!(told(&client.receive(b"\x82\x01a")), ["a"]);
}

#[test]
fn pieces_arrive_during_our_own_close() {
    // spec: C-18
    let mut client = streaming();
    assert_eq!(told(&client.receive(b"\x02\x01a")), ["<a"]);
    let closed = client.connection.close(CloseCode::NORMAL, "");
    assert_eq!(closed, Ok(()));
    assert_eq!(told(&client.receive(b"\x80\x01b")), ["b>"]);
    let refused = client
        .connection
        .send(Message::text(""))
        .map_err(SendError::from);
    assert_eq!(refused, Err(SendError::Closed));
}

#[test]
fn a_masked_message_in_pieces() {
    // spec: M-07, M-13
    let text = vectors::CHINESE.repeat(100);
    let bytes = Frame::text(text.clone()).masked(vectors::KEY).bytes();
    for len in [1, 3, 1000, 3000] {
        let mut server = Alone::server();
        server.connection.stream_message(NO_LIMIT);
        let mut joined = Vec::new();
        for part in bytes.chunks(len) {
            for event in server.receive_handed(part) {
                joined.extend_from_slice(&chunk(&event).data);
                assert_eq!(chunk(&event).kind, Text);
            }
            server.connection.park();
        }
        assert!(joined == text.as_bytes(), "{len}");
    }
}
