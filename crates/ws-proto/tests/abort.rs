//! The end without a closing handshake.

use ws_proto::{CloseCode, Config, Initiator, Message, ProtocolError, SendError, State};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;

/// What every aborted connection is, whatever came before.
fn assert_over(end: &mut Alone) {
    assert_eq!(end.connection.state(), State::Closed);
    assert!(end.connection.is_finished());
    assert_eq!((end.connection.queued(), end.sent()), (0, vec![]));
    let second = std::time::Duration::from_secs(1);
    assert_eq!(end.connection.poll_timeout(second), None);
    end.connection.handle_timeout(second * 1000);
    // Neither what waited nor what comes is looked at.
    assert_eq!(end.receive(vectors::CLIENT_PING), []);
    assert_eq!(end.receive(b"\xff"), []);
    assert_eq!(end.receive_eof(), []);
    let unsent = end.connection.send(Message::text("")).expect_err("over");
    assert_eq!(unsent.error, SendError::Closed);
    assert_eq!(end.connection.ping(b""), Err(SendError::Closed));
    assert_eq!(end.connection.close_without_code(), Err(SendError::Closed));
    assert_eq!(end.sent(), b"");
    assert!(end.connection.is_finished());
}

#[test]
fn an_abort_ends_at_once() {
    // spec: C-23
    for mut end in [Alone::server(), Alone::client()] {
        let large = Message::binary(vec![7; 100_000]);
        end.connection.send(large).expect("open");
        end.connection.ping(b"").expect("open");
        end.connection
            .receive_buffer()
            .extend_from_slice(vectors::SERVER_TEXT);
        end.connection.abort();
        assert_over(&mut end);
        assert_eq!(end.error, None, "it is what the caller wanted");
        let info = end.connection.close_info().expect("it has ended");
        assert_eq!(info.code(), CloseCode::ABNORMAL);
        assert_eq!((info.received.as_ref(), info.sent), (None, None));
        assert_eq!((info.clean, info.initiator), (false, Initiator::Local));
        assert_eq!(info.failure, None);
        // Once more changes nothing.
        end.connection.abort();
        assert_eq!(end.connection.close_info(), Some(info));
    }
}

#[test]
fn an_abort_in_the_middle_of_a_message() {
    // spec: G-13
    let mut server = Alone::server();
    server.receive(&Frame::text("Hel").not_fin().masked(KEY).bytes());
    server.receive(&vectors::CLIENT_PING[..3]);
    server.connection.abort();
    assert_over(&mut server);
    assert_eq!(server.error, None);
}

#[test]
fn an_abort_of_a_closing_handshake() {
    // spec: C-21, C-16
    for written in [false, true] {
        let mut server = Alone::server();
        server
            .connection
            .close(CloseCode::NORMAL, "")
            .expect("open");
        if written {
            assert_eq!(server.sent().len(), 4);
        }
        server.connection.abort();
        assert_over(&mut server);
        let info = server.connection.close_info().expect("it has ended");
        assert_eq!(info.code(), CloseCode::ABNORMAL);
        // What was not written was not sent.
        let sent = written.then_some(Some(CloseCode::NORMAL));
        assert_eq!((info.sent, info.clean), (sent, false));
    }
}

#[test]
fn an_abort_after_the_closing_handshake_takes_nothing_back() {
    // spec: C-19, C-21
    let mut client = Alone::client();
    client.receive(&Frame::close(1001, "bye").bytes());
    client.sent();
    // All that is missing is the end of TCP.
    assert!(!client.connection.is_finished());
    let info = client.connection.close_info();
    client.connection.abort();
    assert_over(&mut client);
    assert_eq!(client.connection.close_info(), info);
    let info = info.expect("closed");
    assert_eq!((info.code().get(), info.reason()), (1001, "bye"));
    assert_eq!((info.clean, info.initiator), (true, Initiator::Remote));
}

#[test]
fn an_abort_after_a_failure_keeps_its_reason() {
    // spec: C-24
    let mut server = Alone::server();
    server.receive(b"\xff");
    server.sent();
    server.connection.abort();
    let error = server.error;
    assert!(error.is_some());
    assert_over(&mut server);
    let info = server.connection.close_info().expect("it has ended");
    assert_eq!((info.failure, info.code().get()), (error, 1002));

    // A deadline that has passed is told in the info, and not as an error that nobody waits for any more.
    let config = Config::default().with_write_timeout(None);
    let mut server = Alone::server_with(config);
    for seconds in [0, 30] {
        let now = std::time::Duration::from_secs(seconds);
        server.connection.poll_timeout(now);
        server.connection.handle_timeout(now);
        server.sent();
        server.connection.poll_timeout(now);
    }
    let now = std::time::Duration::from_secs(50);
    server.connection.handle_timeout(now);
    server.connection.abort();
    assert_over(&mut server);
    assert_eq!(server.error, None);
    let info = server.connection.close_info().expect("it has ended");
    assert_eq!(info.failure, Some(ProtocolError::PongTimeout));
}
