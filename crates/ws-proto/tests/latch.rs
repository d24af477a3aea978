//! The end is final: an error is reported once, and what comes after the end is discarded unread.

use ws_proto::{CloseCode, ProtocolError, SendError, State};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;
const MIB: usize = 1024 * 1024;

#[test]
fn an_error_is_reported_once() {
    // spec: C-24
    let mut server = Alone::server();
    let buffer = server.connection.receive_buffer();
    buffer.extend_from_slice(b"\xff");
    assert!(server.connection.poll_event().is_err());
    for _ in 0..3 {
        assert_eq!(server.connection.poll_event(), Ok(None));
        let buffer = server.connection.receive_buffer();
        buffer.extend_from_slice(vectors::CLIENT_TEXT);
        assert_eq!(server.connection.poll_event(), Ok(None));
    }
    server.connection.handle_eof();
    assert_eq!(server.connection.poll_event(), Ok(None));
}

#[test]
fn the_loss_of_the_connection_is_reported_once() {
    // spec: C-23
    let mut server = Alone::server();
    server.connection.handle_eof();
    server.connection.handle_eof();
    let lost = server.connection.poll_event();
    assert_eq!(lost, Err(ProtocolError::ConnectionLost));
    server.connection.handle_eof();
    assert_eq!(server.connection.poll_event(), Ok(None));
    assert_eq!(server.connection.poll_event(), Ok(None));
}

#[test]
fn good_frames_after_a_bad_one_mean_nothing() {
    // spec: C-24, C-16
    for bad in [
        Frame::new(3, "").masked(KEY).bytes(),
        Frame::text("unmasked").bytes(),
        vectors::CLIENT_TEXT_NOT_UTF8.to_vec(),
        Frame::text("").announcing(1 << 50).masked(KEY).header(),
        vectors::CLIENT_CLOSE_1005.to_vec(),
        Frame::continuation("").masked(KEY).bytes(),
    ] {
        let mut server = Alone::server();
        assert_eq!(server.receive(&bad), []);
        let error = server.error;
        assert!(error.is_some());
        let sent = server.sent();
        assert_eq!(sent[..2], [0x88, 2]);
        for good in vectors::GOOD_FROM_CLIENT {
            assert_eq!(server.receive(good.1), []);
            assert_eq!(server.receive_handed(good.1), []);
        }
        server.receive_eof();
        assert_eq!((server.sent(), server.error), (vec![], error));
        assert_eq!(server.connection.state(), State::Closed);
        let late = server.connection.close(CloseCode::NORMAL, "");
        assert_eq!(late, Err(SendError::Closed));
    }
}

#[test]
fn draining_ends() {
    // spec: C-25
    for first in [vectors::CLIENT_CLOSE_1000, b"\xff"] {
        let mut server = Alone::server();
        server.receive(first);
        server.sent();
        let chunk = vec![0x55; MIB];
        for _ in 0..15 {
            assert_eq!(server.receive(&chunk), []);
            assert!(!server.connection.is_finished());
            // What was thrown away is not kept.
            assert!(server.connection.receive_buffer().capacity() <= 128 * 1024);
        }
        server.receive(&chunk);
        server.receive(&chunk);
        assert!(server.connection.is_finished());
        let first = server.connection.close_info().expect("closed");
        server.receive(&chunk);
        assert_eq!(server.connection.close_info(), Some(first));
    }
}

#[test]
fn a_flood_behind_a_bad_frame_does_not_hide_our_close() {
    // spec: C-25
    let mut server = Alone::server();
    let flood = [&b"\xff"[..], &vec![0; MIB]].concat();
    server.receive(&flood);
    assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    assert!(server.connection.wants_shutdown());
    assert!(!server.connection.is_finished(), "it is drained first");
}

#[test]
fn a_deadline_after_the_end_changes_nothing() {
    let mut server = Alone::server();
    server.receive(vectors::CLIENT_CLOSE_1000);
    server.sent();
    server.receive_eof();
    let info = server.connection.close_info();
    server
        .connection
        .handle_timeout(std::time::Duration::from_secs(1000));
    assert_eq!(server.events(), []);
    assert_eq!((server.error, server.connection.close_info()), (None, info));
}
