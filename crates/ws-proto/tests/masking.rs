//! Masks: who must, who must not, and what they do (RFC 6455 §5.1, §5.3).

use std::collections::HashSet;

use bytes::{Buf, Bytes};
use ws_proto::{CloseCode, Config, Connection, Event, MaskKey, MaskKeys, Message, ProtocolError};
use ws_testkit::{Alone, CounterKeys, Frame, Prng, vectors};

const KEY: [u8; 4] = vectors::KEY;

#[test]
fn a_server_refuses_frames_without_a_mask() {
    // spec: M-02, CC-36
    for frame in [
        Frame::text("Hello"),
        Frame::binary(""),
        Frame::ping(""),
        Frame::pong(""),
        Frame::close(1000, ""),
        Frame::close_body(""),
    ] {
        let mut server = Alone::server();
        assert_eq!(server.receive(&frame.bytes()), []);
        assert_eq!(server.error, Some(ProtocolError::UnmaskedFrame));
        assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    }
    // Also in the middle of a message.
    let mut server = Alone::server();
    server.receive(&Frame::text("a").not_fin().masked(KEY).bytes());
    assert_eq!(server.receive(&Frame::continuation("b").bytes()), []);
    assert_eq!(server.error, Some(ProtocolError::UnmaskedFrame));
}

#[test]
fn a_client_refuses_masked_frames() {
    // spec: M-04, CC-36
    for (_, bytes) in vectors::GOOD_FROM_CLIENT {
        let mut client = Alone::client();
        assert_eq!(client.receive(bytes), []);
        assert_eq!(client.error, Some(ProtocolError::MaskedFrame));
        // Its own Close is masked all the same.
        assert_eq!(client.sent(), Frame::close(1002, "").masked(KEY).bytes());
    }
    // A key of zeros is a mask.
    let mut client = Alone::client();
    client.receive(&Frame::text("a").masked([0; 4]).bytes());
    assert_eq!(client.error, Some(ProtocolError::MaskedFrame));
}

#[test]
fn any_key_will_do() {
    // spec: M-10, M-06
    for key in [[0; 4], [0xff; 4], [0, 0, 0, 1], [0x80, 0, 0, 0]] {
        let mut server = Alone::server();
        let events = server.receive(&Frame::text("Hello").masked(key).bytes());
        assert_eq!(events, [Event::Message(Message::text("Hello"))]);
    }
}

#[test]
fn the_key_runs_on_over_reads_and_starts_over_with_each_frame() {
    // spec: M-06, M-07, M-13
    let payload = Prng::new(3).bytes(100);
    let (first, second) = payload.split_at(33);
    let bytes = [
        Frame::binary(first).not_fin().masked(KEY).bytes(),
        Frame::continuation(second).masked([1, 2, 3, 4]).bytes(),
        Frame::binary(payload.clone()).masked([9, 8, 7, 6]).bytes(),
    ]
    .concat();
    let message = Event::Message(Message::binary(payload.clone()));
    for chunk in [1, 2, 3, 5, 7, 64] {
        let mut server = Alone::server();
        let mut events = Vec::new();
        for piece in bytes.chunks(chunk) {
            events.extend(server.receive(piece));
        }
        assert_eq!(events, [message.clone(), message.clone()], "{chunk}");
    }
}

#[test]
fn a_client_masks_everything_and_a_server_nothing() {
    // spec: M-01, M-03
    let say_all = |end: &mut Alone| {
        let connection = &mut end.connection;
        connection.send(Message::text("text")).expect("open");
        connection
            .send(Message::binary(vec![1; 100_000]))
            .expect("open");
        connection.ping(b"ping").expect("open");
        connection.close(CloseCode::NORMAL, "bye").expect("open");
        end.sent()
    };
    let mut client = Alone::client();
    let mut server = Alone::server();
    client.receive(vectors::SERVER_PING);
    server.receive(vectors::CLIENT_PING);
    let mut receiver = Alone::server();
    assert_eq!(receiver.receive(&say_all(&mut client)).len(), 5);
    let mut receiver = Alone::client();
    assert_eq!(receiver.receive(&say_all(&mut server)).len(), 5);
}

#[test]
fn each_frame_has_its_own_key() {
    // spec: M-05
    let config = Config::default().with_fragment_size(Some(10));
    let mut client = Alone::new(Connection::client(config, CounterKeys::default()));
    let mut keys = HashSet::new();
    let mut frames = 0;
    for _ in 0..100 {
        client
            .connection
            .send(Message::binary(vec![0; 25]))
            .expect("open");
        client
            .connection
            .send(Message::binary(vec![0; 5]))
            .expect("open");
        client.connection.ping(b"").expect("open");
        let sent = client.sent();
        let mut rest = &sent[..];
        while let Some((header, after)) = rest.split_at_checked(6) {
            keys.insert(header[2..6].to_vec());
            frames += 1;
            rest = &after[usize::from(header[1] & 0x7f)..];
        }
    }
    assert_eq!((frames, keys.len()), (500, 500));
    // Nor was any drawn and not used.
    let mut source = CounterKeys::default();
    let drawn = (0..frames).map(|_| source.next_key().to_bytes().to_vec());
    assert_eq!(keys, drawn.collect());
}

#[test]
fn a_closure_is_a_source_of_keys() {
    let mut next = 0;
    let keys = move || {
        next += 1;
        MaskKey::new([next; 4])
    };
    let mut client = Alone::new(Connection::client(Config::default(), keys));
    client.connection.ping(b"").expect("open");
    client.connection.ping(b"").expect("open");
    assert_eq!(
        client.sent(),
        b"\x89\x80\x01\x01\x01\x01\x89\x80\x02\x02\x02\x02"
    );
    assert_eq!(
        format!("{:?}", client.connection).matches("Client").count(),
        2
    );
}

#[test]
fn masking_leaves_the_senders_bytes_alone() {
    // spec: M-08, M-09
    for len in [5, 4096, 4097, 100_000] {
        let payload = Bytes::from(Prng::new(4).bytes(len));
        let copy = payload.to_vec();
        let mut client = Alone::client();
        let message = Message::Binary(payload.clone());
        client.connection.send(message).expect("open");
        // Written in two goes, with the sender's bytes still in its hands.
        let transmit = client.connection.transmit();
        let half = transmit.remaining() / 2;
        let mut sent = transmit.copy_to_bytes(half).to_vec();
        assert_eq!(payload, copy);
        sent.extend(client.sent());
        assert_eq!(sent, Frame::binary(copy).masked(KEY).bytes());
    }
}
