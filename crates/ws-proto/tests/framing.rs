//! The frame header as the connection judges it (RFC 6455 §5.2).

use ws_proto::{
    CloseCode, Compress, Event, HeaderError, Message, MessageRef, ProtocolError, SendError,
    TappedFrame,
};
use ws_testkit::{Alone, Frame, LengthForm, Prng, vectors};

const KEY: [u8; 4] = vectors::KEY;
const CLOSE_1002: &[u8] = b"\x88\x02\x03\xea";
const CLOSE_1009: &[u8] = b"\x88\x02\x03\xf1";

/// A server that gets `bytes` and nothing more fails with this error and this Close frame, and gives no event.
#[track_caller]
fn refused(bytes: &[u8], error: ProtocolError, close: &[u8]) {
    let mut server = Alone::server();
    assert_eq!(server.receive(bytes), [], "{bytes:x?}");
    assert_eq!(server.error, Some(error), "{bytes:x?}");
    assert_eq!(server.sent(), close, "{bytes:x?}");
}

#[test]
fn the_vectors_are_understood() {
    // spec: VEC-01, VEC-02, VEC-03, VEC-06, VEC-07, F-01, F-07, F-08, F-13
    for (bytes, text) in [
        (vectors::CLIENT_TEXT, "Hello"),
        (vectors::CLIENT_FRAGMENTS, "Hello"),
        (vectors::CLIENT_EMPTY_TEXT, ""),
    ] {
        let mut server = Alone::server();
        assert_eq!(
            server.receive(bytes),
            [Event::Message(Message::text(text))],
            "{bytes:x?}"
        );
    }
    for bytes in [vectors::SERVER_TEXT, vectors::SERVER_FRAGMENTS] {
        let mut client = Alone::client();
        assert_eq!(
            client.receive(bytes),
            [Event::Message(Message::text("Hello"))]
        );
    }
}

#[test]
fn the_vectors_are_written() {
    // spec: VEC-01, VEC-02, VEC-05, VEC-07
    let mut server = Alone::server();
    server
        .connection
        .send(Message::text("Hello"))
        .expect("open");
    assert_eq!(server.sent(), vectors::SERVER_TEXT);
    let mut client = Alone::client();
    client
        .connection
        .send(Message::text("Hello"))
        .expect("open");
    assert_eq!(client.sent(), vectors::CLIENT_TEXT);
    client.connection.send(Message::text("")).expect("open");
    assert_eq!(client.sent(), vectors::CLIENT_EMPTY_TEXT);
    for (len, header) in [
        (256, vectors::SERVER_BINARY_256_HEADER),
        (65_536, vectors::SERVER_BINARY_64K_HEADER),
    ] {
        let payload = vec![0x5a; len];
        server
            .connection
            .send(Message::binary(payload.clone()))
            .expect("open");
        assert_eq!(server.sent(), [header, &payload].concat());
    }
}

#[test]
fn every_length_around_the_three_forms_arrives() {
    // spec: F-04, F-06
    for len in [
        0, 1, 124, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537,
    ] {
        let payload: Vec<u8> = (0..len).map(|index| index as u8).collect();
        let frame = Frame::binary(payload.clone()).masked(KEY);
        let mut server = Alone::server();
        let events = server.receive(&frame.bytes());
        assert_eq!(events, [Event::Message(Message::binary(payload.clone()))]);

        let mut client = Alone::client();
        client
            .connection
            .send(Message::binary(payload))
            .expect("open");
        assert_eq!(client.sent(), frame.bytes(), "{len}");
    }
}

#[test]
fn reserved_bits_fail_the_connection() {
    // spec: F-02, CC-36, VEC-12
    for rsv in 1..=7 {
        for frame in [
            Frame::text(""),
            Frame::binary("x"),
            Frame::ping(""),
            Frame::pong("x"),
            Frame::close(1000, ""),
        ] {
            let bytes = frame.with_rsv(rsv).masked(KEY).bytes();
            refused(&bytes, ProtocolError::ReservedBits, CLOSE_1002);
        }
        // On a continuation, too.
        let mut server = Alone::server();
        server.receive(&Frame::text("a").not_fin().masked(KEY).bytes());
        let bad = Frame::continuation("b").with_rsv(rsv).masked(KEY);
        assert_eq!(server.receive(&bad.bytes()), []);
        assert_eq!(server.error, Some(ProtocolError::ReservedBits));
    }
    refused(
        vectors::CLIENT_DEFLATED_TEXT,
        ProtocolError::ReservedBits,
        CLOSE_1002,
    );
}

#[test]
fn reserved_opcodes_fail_the_connection() {
    // spec: F-03, CC-36
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        let error = ProtocolError::Header(HeaderError::ReservedOpcode(opcode));
        for payload in ["", "x"] {
            let frame = Frame::new(opcode, payload).masked(KEY);
            refused(&frame.bytes(), error, CLOSE_1002);
            refused(&frame.clone().not_fin().bytes(), error, CLOSE_1002);
            // The first byte says it.
            refused(&frame.bytes()[..1], error, CLOSE_1002);

            // After a good message, and inside one.
            let mut server = Alone::server();
            let bytes = [vectors::CLIENT_TEXT, &frame.bytes()].concat();
            assert_eq!(
                server.receive(&bytes),
                [Event::Message(Message::text("Hello"))]
            );
            assert_eq!(server.error, Some(error));
            let mut server = Alone::server();
            server.receive(&Frame::text("a").not_fin().masked(KEY).bytes());
            assert_eq!(server.receive(&frame.bytes()), []);
            assert_eq!(server.error, Some(error));
        }
    }
}

#[test]
fn a_length_with_its_top_bit_set_is_refused() {
    // spec: F-05
    for len in [1 << 63, u64::MAX] {
        let frame = Frame::binary("").masked(KEY).announcing(len);
        let error = ProtocolError::Header(HeaderError::LengthOverflow);
        refused(&frame.header(), error, CLOSE_1002);
        // Its first byte shows it.
        refused(&frame.header()[..3], error, CLOSE_1002);
    }
}

#[test]
fn a_length_in_a_longer_form_than_it_needs_is_refused() {
    // spec: F-06
    let error = ProtocolError::Header(HeaderError::NonMinimalLength);
    for (len, form) in [
        (0, LengthForm::Two),
        (5, LengthForm::Two),
        (125, LengthForm::Two),
        (0, LengthForm::Eight),
        (125, LengthForm::Eight),
        (126, LengthForm::Eight),
        (65_535, LengthForm::Eight),
    ] {
        for frame in [Frame::text("").masked(KEY), Frame::binary("").masked(KEY)] {
            let frame = frame.announcing(len).with_length_form(form);
            refused(&frame.header(), error, CLOSE_1002);
        }
    }
    // The first length of each form is fine.
    for (len, form) in [(126, LengthForm::Two), (65_536, LengthForm::Eight)] {
        let frame = Frame::binary(vec![0; len]).masked(KEY);
        let mut server = Alone::server();
        let events = server.receive(&frame.with_length_form(form).bytes());
        assert_eq!(events, [Event::Message(Message::binary(vec![0; len]))]);
    }
}

#[test]
fn a_length_over_every_limit_is_refused_on_the_header() {
    // spec: F-11, F-12, S-02, CC-38
    for len in [i64::MAX as u64, 1 << 62, 1 << 32, u64::from(u32::MAX)] {
        let frame = Frame::binary("").masked(KEY).announcing(len);
        refused(&frame.header(), ProtocolError::FrameTooLarge, CLOSE_1009);
        let frame = Frame::text("").not_fin().masked(KEY).announcing(len);
        refused(&frame.header(), ProtocolError::FrameTooLarge, CLOSE_1009);
    }
}

#[test]
fn a_refusal_does_not_wait_for_the_payload() {
    // spec: F-11
    let announced = |frame: Frame| frame.announcing(100).masked(KEY).header();
    for (bytes, error) in [
        (
            announced(Frame::text("").with_rsv(0b100)),
            ProtocolError::ReservedBits,
        ),
        (
            announced(Frame::continuation("")),
            ProtocolError::UnexpectedContinuation,
        ),
        (
            Frame::text("").announcing(100).header(),
            ProtocolError::UnmaskedFrame,
        ),
    ] {
        refused(&bytes, error, CLOSE_1002);
    }
}

#[test]
fn several_frames_and_a_part_of_one_in_one_read() {
    // spec: F-10
    let mut server = Alone::server();
    let three = vectors::CLIENT_TEXT.repeat(3);
    let half = &vectors::CLIENT_TEXT[..7];
    let events = server.receive(&[&three, half].concat());
    let hello = Event::Message(Message::text("Hello"));
    assert_eq!(events, [hello.clone(), hello.clone(), hello.clone()]);
    assert_eq!(server.receive(&vectors::CLIENT_TEXT[7..]), [hello]);
}

#[test]
fn bytes_that_are_no_frames_fail_the_connection() {
    // spec: F-15, S-06
    for garbage in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"HTTP/1.1 200 OK\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH\r\n",
    ] {
        for mut end in [Alone::server(), Alone::client()] {
            assert_eq!(end.receive(garbage), []);
            let code = end.error.and_then(|error| error.close_code());
            assert_eq!(code, Some(CloseCode::PROTOCOL_ERROR), "{garbage:?}");
        }
    }
}

#[test]
fn after_close_nothing_can_be_sent() {
    // spec: F-14, C-12
    let mut server = Alone::server();
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    let close = server.sent();
    for message in [Message::text("late"), Message::binary(vec![1; 20_000])] {
        let unsent = server
            .connection
            .send(message.clone())
            .expect_err("it is closing");
        assert_eq!(unsent.error, SendError::Closed);
        assert_eq!(unsent.message, message, "the message comes back");
    }
    assert_eq!(close, b"\x88\x02\x03\xe8");
    assert_eq!(server.sent(), b"");
}

#[test]
fn a_message_of_any_length_is_the_same_frame_whatever_way_it_takes() {
    // spec: F-04, F-06, M-01
    let traffic = |end: &Alone| end.connection.stats().sent;
    for len in [
        0, 1, 125, 126, 127, 4095, 4096, 4097, 8192, 8193, 65_534, 65_535, 65_536,
    ] {
        let payload = Prng::new(5).bytes(len);
        let message = MessageRef::binary(&payload);
        for masks in [false, true] {
            let (make, frame): (fn() -> Alone, _) = match masks {
                true => (Alone::client, Frame::binary(payload.clone()).masked(KEY)),
                false => (Alone::server, Frame::binary(payload.clone())),
            };
            let mut plain = make();
            // With a tap every frame takes the longest way.
            let mut tapped = make();
            tapped
                .connection
                .set_tap(Some(Box::new(|_: &TappedFrame| {})));
            for end in [&mut plain, &mut tapped] {
                for _ in 0..2 {
                    let sent = end.connection.send_ref(message, Compress::Auto);
                    sent.expect("open");
                    let sent = end.connection.send(message.to_message());
                    sent.expect("open");
                    assert!(end.sent() == frame.bytes().repeat(2), "{len}, {masks}");
                }
            }
            assert_eq!(traffic(&plain), traffic(&tapped));
            assert_eq!(traffic(&plain).messages, 4);
        }
    }
}
