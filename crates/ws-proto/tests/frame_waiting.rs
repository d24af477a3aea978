//! Whether a whole frame waits, against what `poll_event` then does and against frames that were cut by hand.

use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{Config, Connection, Event};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;

/// Gives a server `bytes` without letting it look at them.
fn hand_over(server: &mut Alone, bytes: &[u8]) {
    server.connection.receive_buffer().extend_from_slice(bytes);
}

#[test]
fn a_frame_waits_when_its_last_byte_has_arrived() {
    for frame in [
        Frame::text(""),
        Frame::text("Hello"),
        Frame::binary(vec![7; 126]),
        Frame::binary(vec![7; 65_536]),
        Frame::ping("?"),
        Frame::close(1000, ""),
        Frame::binary("bi").not_fin(),
    ] {
        let bytes = frame.masked(KEY).bytes();
        let cuts = (0..bytes.len().min(20)).chain([bytes.len() - 1]);
        for cut in cuts.filter(|cut| *cut < bytes.len()) {
            // Whether or not somebody has looked at the first part.
            for looks in [false, true] {
                let mut server = Alone::server();
                hand_over(&mut server, &bytes[..cut]);
                assert!(!server.connection.has_frame_waiting(), "{cut}");
                if looks {
                    assert_eq!(server.connection.poll_event(), Ok(None));
                    assert!(!server.connection.has_frame_waiting(), "{cut}");
                }
                hand_over(&mut server, &bytes[cut..]);
                assert!(server.connection.has_frame_waiting(), "{cut}");
                let event = server.connection.poll_event().expect("a good frame");
                // A fragment is no event.
                assert_eq!(event.is_some(), bytes[0] & 0x80 != 0);
                assert!(!server.connection.has_frame_waiting());
            }
        }
    }
}

#[test]
fn nothing_waits_behind_the_end() {
    let text = vectors::CLIENT_TEXT;
    for end in [
        Frame::close(1000, "").masked(KEY).bytes(),
        // No mask.
        Frame::text("x").bytes(),
    ] {
        let mut server = Alone::server();
        hand_over(&mut server, &[&end, text].concat());
        assert!(server.connection.has_frame_waiting());
        _ = server.connection.poll_event();
        assert!(!server.connection.has_frame_waiting());
        hand_over(&mut server, text);
        assert!(!server.connection.has_frame_waiting());
    }
    let mut server = Alone::server();
    hand_over(&mut server, text);
    server.connection.abort();
    assert!(!server.connection.has_frame_waiting());
    // A header that nobody may accept is no frame.
    let mut server = Alone::server();
    hand_over(&mut server, &[&[0x83, 0x80][..], &[0; 4], text].concat());
    assert!(!server.connection.has_frame_waiting());
    assert!(server.connection.poll_event().is_err());
}

#[test]
fn a_frame_waits_while_some_of_it_is_delivered() {
    let bytes = Frame::text("x".repeat(100)).masked(KEY).bytes();
    let mut server = Alone::server();
    server.connection.stream_message(1000);
    hand_over(&mut server, &bytes[..50]);
    assert!(matches!(
        server.connection.poll_event(),
        Ok(Some(Event::Chunk(_)))
    ));
    assert!(!server.connection.has_frame_waiting());
    hand_over(&mut server, &bytes[50..]);
    assert!(server.connection.has_frame_waiting());
    assert!(matches!(
        server.connection.poll_event(),
        Ok(Some(Event::Chunk(_)))
    ));
    assert!(!server.connection.has_frame_waiting());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_waiting_frame_is_taken_without_more_bytes(
        frames in proptest::collection::vec(
            (select(vec![0x1, 0x2, 0x9, 0xa]), proptest::collection::vec(0x20..0x7f_u8, 0..140), 1..4_usize),
            1..12,
        ),
        reads in proptest::collection::vec(0_usize..200, 1..60),
    ) {
        // The bytes, and where in them each frame ends; a data message may have several.
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (opcode, payload, fragments) in &frames {
            let fragments = if *opcode < 0x8 { *fragments } else { 1 };
            for index in 0..fragments {
                let opcode = if index == 0 { *opcode } else { 0x0 };
                let mut frame = Frame::new(opcode, payload.clone()).masked(KEY);
                frame.fin = index + 1 == fragments;
                // A control frame may have 125 bytes.
                frame.payload.truncate(125);
                bytes.extend(frame.bytes());
                ends.push(bytes.len());
            }
        }
        let mut server = Connection::server(Config::default());
        let mut handed: usize = 0;
        let mut taken: usize = 0;
        for read in reads {
            let end = bytes.len().min(handed + read);
            server.receive_buffer().extend_from_slice(&bytes[handed..end]);
            handed = end;
            let whole = ends.iter().filter(|end| **end <= handed).count();
            loop {
                prop_assert_eq!(server.has_frame_waiting(), whole > taken);
                match server.poll_event().expect("good frames") {
                    // A frame whose header was accepted is complete when its message is.
                    Some(_) => taken = server.stats().received.frames as usize,
                    None => break,
                }
            }
            taken = whole;
            prop_assert!(!server.has_frame_waiting());
        }
    }
}
