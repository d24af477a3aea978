//! The closing handshake (RFC 6455 §5.5.1, §7) and what is told about it.

use bytes::{Buf, Bytes, BytesMut};
use ws_frame::ClosePayloadError;
use ws_proto::{
    CloseCode, CloseFrame, CloseInfo, Config, Connection, Event, Initiator, Message, ProtocolError,
    SendError, State,
};
use ws_testkit::{Alone, Frame, Pair, vectors};

const KEY: [u8; 4] = vectors::KEY;

fn closed(code: u16, reason: &str) -> Event {
    Event::Closed(Some(CloseFrame {
        code: CloseCode::new(code),
        reason: reason.into(),
    }))
}

fn info(end: &Alone) -> CloseInfo {
    end.connection.close_info().expect("it is ending")
}

#[test]
fn a_close_is_answered_with_its_code_and_no_reason() {
    // spec: C-08, C-13, C-20, CC-02, CC-03, CC-33, VEC-08
    let mut server = Alone::server();
    assert_eq!(
        server.receive(vectors::CLIENT_CLOSE_1001_BYE),
        [closed(1001, "bye")]
    );
    assert_eq!(server.sent(), b"\x88\x02\x03\xe9");
    let info = info(&server);
    assert_eq!((info.code().get(), info.reason()), (1001, "bye"));
    assert_eq!((info.clean, info.initiator), (true, Initiator::Remote));

    let mut server = Alone::server();
    assert_eq!(
        server.receive(vectors::CLIENT_CLOSE_1000),
        [closed(1000, "")]
    );
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
}

#[test]
fn an_empty_close_is_answered_with_an_empty_close() {
    // spec: C-08, C-13, C-19, CC-32, F-13
    let mut server = Alone::server();
    assert_eq!(
        server.receive(vectors::CLIENT_CLOSE_EMPTY),
        [Event::Closed(None)]
    );
    assert_eq!(server.sent(), b"\x88\x00");
    let info = info(&server);
    assert_eq!((info.code(), info.reason()), (CloseCode::NO_STATUS, ""));
    assert_eq!(info.received, Some(None));
    assert_eq!((info.sent, info.clean), (Some(None), true));
}

#[test]
fn every_code_that_may_be_on_the_wire_is_echoed() {
    // spec: C-09, C-13, CC-02, CC-03, CC-04, CC-05, CC-09, CC-10, CC-11, CC-12, CC-13, CC-14, CC-15, CC-16, CC-20,
    // CC-21
    for code in vectors::CODES_ON_WIRE {
        let mut server = Alone::server();
        let frame = Frame::close(*code, "why").masked(KEY);
        assert_eq!(server.receive(&frame.bytes()), [closed(*code, "why")]);
        assert_eq!(server.sent(), Frame::close(*code, "").bytes());

        let mut client = Alone::client();
        let frame = Frame::close(*code, "why");
        assert_eq!(client.receive(&frame.bytes()), [closed(*code, "why")]);
        assert_eq!(client.sent(), Frame::close(*code, "").masked(KEY).bytes());
    }
}

#[test]
fn every_code_that_may_not_be_on_the_wire_is_refused() {
    // spec: C-09, C-29, CC-01, CC-06, CC-07, CC-08, CC-17, CC-18, CC-19, CC-22, CC-34, VEC-09
    for code in vectors::CODES_NEVER_ON_WIRE {
        let mut server = Alone::server();
        let frame = Frame::close(*code, "why").masked(KEY);
        assert_eq!(server.receive(&frame.bytes()), []);
        let code = CloseCode::new(*code);
        let error = ClosePayloadError::Code(code);
        assert_eq!(server.error, Some(ProtocolError::ClosePayload(error)));
        assert_eq!(server.sent(), b"\x88\x02\x03\xea");
        // It is not what the peer is said to have closed with.
        assert_eq!(info(&server).received, None);
        assert_eq!(info(&server).code(), CloseCode::PROTOCOL_ERROR);
        assert_eq!(info(&server).reason(), "");

        let mut server = Alone::server();
        let refused = server.connection.close(code, "");
        assert_eq!(refused, Err(SendError::ClosePayload(error)));
        assert_eq!(server.sent(), b"");
        assert_eq!(server.connection.state(), State::Open);
    }
}

#[test]
fn a_body_of_one_byte_is_refused() {
    // spec: C-08, CC-34, VEC-09
    let mut server = Alone::server();
    assert_eq!(server.receive(vectors::CLIENT_CLOSE_ONE_BYTE), []);
    let error = ProtocolError::ClosePayload(ClosePayloadError::Truncated);
    assert_eq!(server.error, Some(error));
    assert_eq!(server.sent(), b"\x88\x02\x03\xea");
}

#[test]
fn a_reason_that_is_not_utf8_is_refused() {
    // spec: C-10, U-05, CC-35, VEC-09
    let mut server = Alone::server();
    assert_eq!(server.receive(vectors::CLIENT_CLOSE_BAD_REASON), []);
    let error = ProtocolError::ClosePayload(ClosePayloadError::ReasonNotUtf8);
    assert_eq!(server.error, Some(error));
    assert_eq!(server.sent(), b"\x88\x02\x03\xef");
}

#[test]
fn reasons_up_to_123_bytes() {
    // spec: C-08, C-30, CC-31
    let euros = "€".repeat(41);
    for reason in ["", "bye", &"x".repeat(123), &euros] {
        let mut client = Alone::client();
        let mut server = Alone::server();
        let code = CloseCode::GOING_AWAY;
        assert_eq!(client.connection.close(code, reason), Ok(()));
        assert_eq!(server.receive(&client.sent()), [closed(1001, reason)]);
        assert_eq!(info(&server).reason(), reason);
    }
    for reason in ["x".repeat(124), format!("{euros}x"), "x".repeat(100_000)] {
        let mut client = Alone::client();
        let refused = client.connection.close(CloseCode::NORMAL, &reason);
        let error = ClosePayloadError::ReasonTooLong;
        assert_eq!(refused, Err(SendError::ClosePayload(error)));
        assert_eq!(client.sent(), b"");
        assert_eq!(client.connection.state(), State::Open);
    }
}

#[test]
fn a_close_of_ours_may_have_no_code() {
    // spec: CC-30, C-08
    let mut client = Alone::client();
    assert_eq!(client.connection.close_without_code(), Ok(()));
    assert_eq!(client.sent(), vectors::CLIENT_CLOSE_EMPTY);
    assert_eq!(info(&client).sent, Some(None));
}

#[test]
fn only_a_client_misses_an_extension() {
    // spec: CC-12
    let code = CloseCode::MANDATORY_EXTENSION;
    let mut client = Alone::client();
    assert_eq!(client.connection.close(code, "x-ext"), Ok(()));
    let mut server = Alone::server();
    let error = SendError::ClosePayload(ClosePayloadError::Code(code));
    assert_eq!(server.connection.close(code, ""), Err(error));
    // As an answer a server does send it.
    server.receive(&client.sent());
    assert_eq!(server.sent(), Frame::close(1010, "").bytes());
}

#[test]
fn one_close_frame_a_side() {
    // spec: C-16, C-12
    let mut server = Alone::server();
    assert_eq!(server.connection.close(CloseCode::NORMAL, ""), Ok(()));
    let second = server.connection.close(CloseCode::GOING_AWAY, "");
    assert_eq!(second, Err(SendError::Closed));
    assert_eq!(
        server.connection.close_without_code(),
        Err(SendError::Closed)
    );
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
    server.receive(vectors::CLIENT_CLOSE_1000);
    assert_eq!(server.sent(), b"");
    // Nor after the peer's Close was answered.
    let mut server = Alone::server();
    server.receive(vectors::CLIENT_CLOSE_1000);
    let late = server.connection.close(CloseCode::NORMAL, "");
    assert_eq!(late, Err(SendError::Closed));
    assert_eq!(info(&server).initiator, Initiator::Remote);
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
}

#[test]
fn a_violation_after_our_close_brings_no_second_close() {
    // spec: C-16, CC-48
    let mut server = Alone::server();
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    server.receive(b"\xff");
    assert!(server.error.is_some());
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
    let info = info(&server);
    assert_eq!((info.clean, info.initiator), (false, Initiator::Local));
    assert_eq!(info.sent, Some(Some(CloseCode::NORMAL)));
    // The peer was never told what it did, and 1000 it was not.
    assert_eq!(info.code(), CloseCode::ABNORMAL);
    assert_eq!(info.failure, server.error);
    assert_eq!(server.connection.state(), State::Closed);
}

#[test]
fn what_follows_the_peers_close_is_not_looked_at() {
    // spec: C-17, C-15, C-24
    for after in [
        vectors::CLIENT_PING,
        vectors::CLIENT_TEXT,
        vectors::CLIENT_CLOSE_1000,
        b"\xff\xff\xff",
    ] {
        let mut server = Alone::server();
        let bytes = [vectors::CLIENT_CLOSE_1001_BYE, after].concat();
        assert_eq!(server.receive(&bytes), [closed(1001, "bye")]);
        assert_eq!(server.receive(after), []);
        assert_eq!(server.receive_handed(after), []);
        assert_eq!(server.error, None);
        assert_eq!(server.sent(), b"\x88\x02\x03\xe9");
        assert_eq!(info(&server).code(), CloseCode::GOING_AWAY);
    }
}

#[test]
fn messages_still_arrive_after_our_close() {
    // spec: C-18, C-22
    let mut server = Alone::server();
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    assert_eq!(server.receive(&vectors::CLIENT_TEXT.repeat(3)).len(), 3);
    assert_eq!(server.connection.state(), State::Closing);
    assert_eq!(
        server.receive(vectors::CLIENT_CLOSE_1000),
        [closed(1000, "")]
    );
    assert_eq!(server.connection.state(), State::Closed);
    assert_eq!(server.error, None);
}

#[test]
fn closes_that_cross() {
    // spec: C-15, C-19, CC-49
    let mut pair = Pair::new();
    pair.client
        .connection
        .close(CloseCode::GOING_AWAY, "client")
        .expect("open");
    pair.server
        .connection
        .close(CloseCode::new(4000), "server")
        .expect("open");
    pair.drive();
    assert_eq!(pair.client.events, [closed(4000, "server")]);
    assert_eq!(pair.server.events, [closed(1001, "client")]);
    // One Close each way.
    assert_eq!(pair.client.written.len(), 6 + 2 + 6);
    assert_eq!(pair.server.written.len(), 2 + 2 + 6);
    for (end, code, sent) in [(&pair.client, 4000, 1001), (&pair.server, 1001, 4000)] {
        let info = end.connection.close_info().expect("closed");
        assert_eq!(info.code().get(), code);
        assert_eq!(info.sent, Some(Some(CloseCode::new(sent))));
        assert_eq!((info.clean, info.initiator), (true, Initiator::Local));
        assert_eq!(info.failure, None);
        assert!(end.connection.is_finished());
        assert_eq!(end.error, None);
    }
}

#[test]
fn the_server_ends_tcp_and_the_client_waits_for_it() {
    // spec: C-14, C-26
    let mut server = Alone::server();
    assert!(!server.connection.writes_last());
    server.receive(vectors::CLIENT_CLOSE_1000);
    // Not before its Close is on the wire, but that is known to be the last thing there.
    assert!(!server.connection.wants_shutdown());
    assert!(server.connection.writes_last());
    assert_eq!(server.sent().len(), 4);
    assert!(server.connection.wants_shutdown());
    assert!(!server.connection.is_finished());
    server.receive_eof();
    assert!(server.connection.is_finished());

    let mut client = Alone::client();
    client.receive(b"\x88\x02\x03\xe8");
    assert!(!client.connection.writes_last());
    assert_eq!(client.sent().len(), 8);
    assert!(!client.connection.wants_shutdown());
    assert!(!client.connection.is_finished());
    assert_eq!(client.receive_eof(), []);
    // Now it follows.
    assert!(client.connection.wants_shutdown());
    assert!(client.connection.is_finished());
    assert_eq!(client.error, None);
    assert!(info(&client).clean);
}

#[test]
fn a_failed_connection_is_shut_down_by_whoever_failed_it() {
    // spec: C-24, C-25
    for mut end in [Alone::server(), Alone::client()] {
        end.receive(b"\xff");
        assert!(!end.connection.wants_shutdown());
        assert!(!end.sent().is_empty());
        assert!(end.connection.wants_shutdown());
        assert!(!end.connection.is_finished());
        // Its Close reply and all else is read and thrown away.
        assert_eq!(end.receive(vectors::CLIENT_CLOSE_1000), []);
        assert_eq!(end.receive(&[0; 100_000]), []);
        assert!(!end.connection.is_finished());
        end.receive_eof();
        assert!(end.connection.is_finished());
    }
}

#[test]
fn the_end_of_the_transport_without_a_close_is_a_loss() {
    // spec: C-19, C-21, C-23, CC-44
    for mut end in [Alone::server(), Alone::client()] {
        assert_eq!(end.receive_eof(), []);
        assert_eq!(end.error, Some(ProtocolError::ConnectionLost));
        assert_eq!(end.sent(), b"", "nobody is there to read it");
        let info = info(&end);
        assert_eq!((info.code(), info.reason()), (CloseCode::ABNORMAL, ""));
        assert_eq!((info.clean, info.initiator), (false, Initiator::Remote));
        assert_eq!(info.failure, Some(ProtocolError::ConnectionLost));
        assert!(end.connection.is_finished());
    }
    // After our own Close it is one, too.
    let mut client = Alone::client();
    client
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    client.sent();
    client.receive_eof();
    assert_eq!(client.error, Some(ProtocolError::ConnectionLost));
    let info = info(&client);
    assert_eq!((info.clean, info.initiator), (false, Initiator::Local));
}

#[test]
fn what_arrived_before_the_end_is_delivered_first() {
    // spec: C-23, F-10
    let mut server = Alone::server();
    let buffer = server.connection.receive_buffer();
    buffer.extend_from_slice(&vectors::CLIENT_TEXT.repeat(2));
    server.connection.handle_eof();
    assert_eq!(server.events().len(), 2);
    assert_eq!(server.error, Some(ProtocolError::ConnectionLost));

    let mut server = Alone::server();
    let buffer = server.connection.receive_buffer();
    buffer.extend_from_slice(vectors::CLIENT_CLOSE_1000);
    server.connection.handle_eof();
    assert_eq!(server.events(), [closed(1000, "")]);
    assert_eq!(server.error, None);
    assert_eq!(server.sent().len(), 4);
    assert!(server.connection.is_finished());
}

#[test]
fn a_close_that_could_not_be_written_was_not_sent() {
    // spec: C-21
    let mut server = Alone::server();
    server.receive(vectors::CLIENT_CLOSE_1000);
    server.connection.transmit().advance(1);
    server.connection.handle_write_failed();
    assert_eq!((info(&server).sent, info(&server).clean), (None, false));
    assert!(server.connection.close(CloseCode::NORMAL, "").is_err());
    server.receive_eof();
    assert!(server.connection.is_finished());

    // Once it is out, what happens to a Pong behind it does not matter.
    let mut server = Alone::server();
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    server.receive(vectors::CLIENT_PING);
    server.connection.transmit().advance(5);
    server.connection.handle_write_failed();
    server.connection.handle_write_failed();
    assert_eq!(server.sent(), b"");
    server.receive(vectors::CLIENT_CLOSE_1000);
    assert!(info(&server).clean);
}

#[test]
fn reading_goes_on_after_writing_has_failed() {
    // spec: C-23, C-19
    let mut server = Alone::server();
    let message = Message::text("never written");
    server.connection.send(message.clone()).expect("open");
    server.connection.handle_write_failed();
    assert_eq!(server.connection.state(), State::Closing);
    assert_eq!(server.sent(), b"");
    let unsent = server.connection.send(message).expect_err("broken");
    assert_eq!(unsent.error, SendError::Closed);
    assert_eq!(server.connection.ping(b""), Err(SendError::Closed));

    // The peer may have said why it left.
    assert_eq!(server.receive(vectors::CLIENT_PING).len(), 1);
    assert_eq!(server.sent(), b"");
    let events = server.receive(vectors::CLIENT_CLOSE_1001_BYE);
    assert_eq!(events, [closed(1001, "bye")]);
    assert_eq!(info(&server).code(), CloseCode::GOING_AWAY);
    assert!(!info(&server).clean);
    server.receive_eof();
    assert!(server.connection.is_finished());
    assert_eq!(server.error, None);
}

#[test]
fn what_is_queued_goes_out_before_the_close() {
    // spec: F-14, C-13
    let mut server = Alone::server();
    let large = Bytes::from(vec![7; 50_000]);
    server
        .connection
        .send(Message::Binary(large.clone()))
        .expect("open");
    server.receive(vectors::CLIENT_CLOSE_1000);
    let expected = [
        Frame::binary(large.to_vec()).bytes(),
        Frame::close(1000, "").bytes(),
    ];
    assert_eq!(server.sent(), expected.concat());
}

#[test]
fn a_violation_is_told_with_its_code() {
    // spec: CC-34, CC-35, CC-36, CC-37, CC-38, C-24
    let bad: [(Vec<u8>, u16); 4] = [
        (Frame::new(3, "").masked(KEY).bytes(), 1002),
        (vectors::CLIENT_TEXT_NOT_UTF8.to_vec(), 1007),
        (
            Frame::binary("").announcing(1 << 40).masked(KEY).header(),
            1009,
        ),
        (vectors::CLIENT_CLOSE_BAD_REASON.to_vec(), 1007),
    ];
    for (bytes, code) in bad {
        let mut server = Alone::server();
        server.receive(&bytes);
        assert_eq!(server.sent(), Frame::close(code, "").bytes());
        let info = info(&server);
        assert_eq!(info.sent, Some(Some(CloseCode::new(code))));
        assert_eq!(info.code().get(), code);
        assert_eq!(info.failure, server.error);
        assert_eq!((info.received, info.clean), (None, false));
    }
}

#[test]
fn the_application_closes_with_a_code_of_its_own() {
    // spec: CC-31, CC-39, CC-40, CC-41, CC-42, CC-43
    for code in [1003, 1008, 1011, 1001, 1012, 1013, 3000, 4999] {
        let mut pair = Pair::new();
        pair.server
            .connection
            .close(CloseCode::new(code), "why")
            .expect("open");
        pair.drive();
        assert_eq!(pair.client.events, [closed(code, "why")]);
        assert_eq!(pair.server.events, [closed(code, "")]);
        assert!(pair.client.connection.is_finished());
        assert!(pair.server.connection.is_finished());
    }
}

#[test]
fn a_close_frame_is_shown_escaped() {
    // spec: S-11
    let frame = CloseFrame {
        code: CloseCode::NORMAL,
        reason: "a\r\n\u{1b}[31m".into(),
    };
    assert_eq!(
        frame.to_string(),
        r#"1000 Normal Closure "a\r\n\u{1b}[31m""#
    );
    let frame = CloseFrame {
        code: CloseCode::new(4321),
        reason: "".into(),
    };
    assert_eq!(frame.to_string(), "4321 Private Use");
}

#[test]
fn an_open_connection_has_no_close_info() {
    let server = Alone::server();
    assert_eq!(server.connection.close_info(), None);
    assert!(!server.connection.wants_shutdown());
    assert!(!server.connection.is_finished());
}

/// Who has replies on their way from elsewhere can let them go before they become impossible.
#[test]
fn the_end_can_be_seen_coming() {
    let text = Frame::text("Hello").masked(KEY).bytes();
    let ends = [
        Frame::close(1000, "").masked(KEY).bytes(),
        Frame::text("x").with_rsv(0b100).masked(KEY).bytes(),
        Frame::continuation("x").masked(KEY).bytes(),
        Frame::text("x").bytes(),
        vec![0x83, 0x80, 0, 0, 0, 0],
    ];
    let goes_on = [
        Frame::text("x").masked(KEY).bytes(),
        Frame::text("x").not_fin().masked(KEY).bytes(),
        Frame::ping("").masked(KEY).bytes(),
        vec![0x88],
        vec![],
    ];
    for (last, is_end) in ends
        .iter()
        .map(|last| (last, true))
        .chain(goes_on.iter().map(|last| (last, false)))
    {
        let mut server = Connection::server(Config::default());
        let received = [&text[..], last].concat();
        server.handle_received(BytesMut::from(&received[..]));
        assert!(!server.is_about_to_end());
        let message = server.poll_event().expect("valid").expect("a message");
        assert_eq!(message, Event::Message("Hello".into()));
        assert_eq!(server.is_about_to_end(), is_end, "{last:x?}");
    }
}
