//! Messages that are sent from where they lie go out as those that are given away.

use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{
    Agreement, Compress, Config, Connection, Message, MessageKind, MessageRef, OverflowPolicy,
    PreparedMessage, SendError,
};
use ws_testkit::Alone;

#[test]
fn a_borrowed_message_is_what_it_was_made_of() {
    let text = MessageRef::text("κόσμε");
    assert_eq!((text.kind(), text.len()), (MessageKind::Text, 10));
    assert_eq!(text.as_text(), Some("κόσμε"));
    assert_eq!(text.as_bytes(), "κόσμε".as_bytes());
    assert_eq!(text.to_message(), Message::text("κόσμε"));
    assert_eq!(format!("{text:?}"), "Text(\"κόσμε\")");
    assert!(text.is_text() && !text.is_binary() && !text.is_empty());

    let binary = MessageRef::binary(b"bi");
    assert_eq!(
        (binary.kind(), binary.as_text()),
        (MessageKind::Binary, None)
    );
    assert_eq!(Message::from(binary), Message::binary(&b"bi"[..]));
    assert_eq!(format!("{binary:?}"), "Binary([98, 105])");
    assert!(binary.is_binary() && !binary.is_text() && !binary.is_empty());
    assert!(MessageRef::binary(b"").is_empty());

    for message in [Message::text("κόσμε"), Message::binary("κόσμε")] {
        let borrowed = MessageRef::from(&message);
        assert_eq!(borrowed, message);
        assert_eq!(borrowed.to_message(), message);
    }
    assert_ne!(MessageRef::text("a"), MessageRef::binary(b"a"));
    let own = String::from("κόσμε");
    let shared = ws_proto::Utf8Bytes::from("κόσμε");
    assert!([MessageRef::from("κόσμε"), (&own).into(), (&shared).into()] == [text; 3]);
    let bytes = bytes::Bytes::from_static(b"bi");
    let borrowed: [MessageRef<'_>; 3] = [b"bi".into(), (&b"bi"[..]).into(), (&bytes).into()];
    assert!(borrowed == [binary; 3]);
    assert_eq!(MessageRef::from(&vec![b'b', b'i']), binary);
}

#[test]
fn what_may_not_be_sent_is_refused() {
    // spec: F-14
    let hello = MessageRef::text("Hello");
    let mut server = Alone::server_with(Config::default().with_write_buffer_limit(10));
    server
        .connection
        .send_ref(hello, Compress::Auto)
        .expect("open");
    server
        .connection
        .send_ref(hello, Compress::Auto)
        .expect("there is room for a byte");
    let refused = server.connection.send_ref(hello, Compress::Auto);
    assert_eq!(refused, Err(SendError::BufferFull));
    assert_eq!(server.sent(), b"\x81\x05Hello\x81\x05Hello");

    let begun = server
        .connection
        .send_fragment(MessageKind::Text, "a".into(), false);
    begun.expect("open");
    let refused = server.connection.send_ref(hello, Compress::Auto);
    assert_eq!(refused, Err(SendError::MessageUnfinished));

    server.connection.close_without_code().expect("open");
    let refused = server.connection.send_ref(hello, Compress::Auto);
    assert_eq!(refused, Err(SendError::Closed));
    assert_eq!(server.sent(), b"\x01\x01a\x88\x00");
}

#[test]
fn what_is_sent_takes_its_place_behind_what_waits() {
    let config = Config::default()
        .with_write_buffer_high(1)
        .with_fragment_size(Some(2));
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::binary("abc"))
        .expect("open");
    let offered = PreparedMessage::text("o");
    server.connection.offer(&offered, OverflowPolicy::Refuse, 1);
    server
        .connection
        .send_ref(MessageRef::text("x"), Compress::Auto)
        .expect("open");
    assert_eq!(server.sent(), b"\x02\x02ab\x80\x01c\x81\x01o\x81\x01x");
}

/// How much of what is sent is known to the codec already, or can be made shorter.
fn payload(len: usize, seed: u8) -> Vec<u8> {
    let text = |index: usize| b' ' + ((index / 3 * 7 + index % 13) as u8).wrapping_mul(seed) % 64;
    (0..len).map(text).collect()
}

/// A connection that speaks only.
fn speaker(is_server: bool, deflates: bool, config: &Config) -> Alone {
    let mut config = config.clone();
    if deflates {
        config = config.with_agreed(Some(Agreement::default()));
    }
    match is_server {
        true => Alone::server_with(config),
        false => Alone::client_with(config),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_wire_sees_no_difference(
        messages in proptest::collection::vec(
            (
                any::<bool>(),
                prop_oneof![
                    4 => 0_usize..200,
                    2 => 4000_usize..9000,
                    1 => select(vec![125_usize, 126, 8192, 8193, 32_768, 32_769, 65_535, 65_536, 100_000]),
                ],
                any::<u8>(),
                select(vec![Compress::Auto, Compress::Always, Compress::Never]),
                // Whether it is written at once.
                any::<bool>(),
            ),
            1..6,
        ),
        is_server in any::<bool>(),
        deflates in any::<bool>(),
        vectored in any::<bool>(),
        fragment_size in select(vec![None, Some(100), Some(4096), Some(9000)]),
        high in select(vec![1_usize, 64 * 1024]),
    ) {
        // spec: F-01, F-04, M-01, M-03, M-09
        let config = Config::default()
            .with_fragment_size(fragment_size)
            .with_write_buffer_high(high);
        let mut owned = speaker(is_server, deflates, &config);
        let mut lent = speaker(is_server, deflates, &config);
        for end in [&mut owned, &mut lent] {
            let placeholder = Connection::server(Config::default());
            let connection = std::mem::replace(&mut end.connection, placeholder);
            end.connection = connection.with_vectored_writes(vectored);
        }
        for (is_text, len, seed, compress, writes) in messages {
            let payload = payload(len, seed);
            let message = match is_text {
                true => Message::text(String::from_utf8(payload).expect("it is ASCII")),
                false => Message::binary(payload),
            };
            let borrowed = MessageRef::from(&message);
            let accepted = lent.connection.send_ref(borrowed, compress);
            let expected = owned.connection.send_with(message.clone(), compress);
            prop_assert_eq!(accepted, expected.map_err(SendError::from));
            prop_assert_eq!(lent.connection.stats(), owned.connection.stats());
            if writes {
                prop_assert!(lent.sent() == owned.sent());
            }
        }
        prop_assert!(lent.sent() == owned.sent());
        prop_assert_eq!(lent.connection.stats(), owned.connection.stats());
    }
}
