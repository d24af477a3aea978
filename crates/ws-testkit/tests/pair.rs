//! A client and a server, joined.

use ws_proto::{CloseCode, Event, Message, State};
use ws_testkit::{Chunks, Delivery, Pair, Prng};

#[test]
fn messages_cross_and_the_pair_closes() {
    for delivery in Delivery::ALL {
        let mut pair = Pair::new()
            .with_chunks(Chunks::Exactly(3), Chunks::random(1, 5))
            .with_delivery(delivery);
        pair.client
            .connection
            .send(Message::text("to the server"))
            .expect("open");
        pair.server
            .connection
            .send(Message::binary(vec![7; 300]))
            .expect("open");
        pair.drive();
        assert_eq!(pair.server.messages(), [Message::text("to the server")]);
        assert_eq!(pair.client.messages(), [Message::binary(vec![7; 300])]);

        pair.client
            .connection
            .close(CloseCode::NORMAL, "")
            .expect("open");
        pair.drive();
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.connection.state(), State::Closed);
            assert!(end.connection.is_finished());
            assert!(matches!(end.events.last(), Some(Event::Closed(Some(_)))));
            assert_eq!(end.error, None);
        }
    }
}

#[test]
fn a_stalled_end_takes_nothing() {
    let mut pair = Pair::new();
    pair.server.stalled = true;
    pair.client
        .connection
        .send(Message::text("later"))
        .expect("open");
    pair.drive();
    assert_eq!(pair.server.messages(), []);
    pair.server.stalled = false;
    pair.drive();
    assert_eq!(pair.server.messages(), [Message::text("later")]);
}

#[test]
fn the_same_seed_gives_the_same_test() {
    let mut one = Prng::new(42);
    let mut other = Prng::new(42);
    assert_eq!(one.bytes(20), other.bytes(20));
    assert_eq!(one.text(20), other.text(20));
    assert_eq!(one.text(5).chars().count(), 5);
    assert!((0..1000).all(|_| one.below(7) < 7));
    assert_eq!(one.below(0), 0);
    assert!(!one.chance(0));
}
