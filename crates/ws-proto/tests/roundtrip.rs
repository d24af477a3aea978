//! Whatever one end sends arrives at the other, in order, however the wire cuts it.

use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{CloseCode, Config, Message, State};
use ws_testkit::oracle::{Outcome, Receiver};
use ws_testkit::{Chunks, Delivery, Pair, Prng, vectors};

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        3 => "\\PC{0,50}".prop_map(Message::from),
        1 => Just(Message::text("")),
        1 => Just(Message::text(vectors::CHINESE)),
        3 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Message::from),
        1 => (any::<u64>(), select(vec![125_usize, 126, 1024, 1025, 8192, 8193, 65_535, 65_536, 70_000]))
            .prop_map(|(seed, len)| Message::from(Prng::new(seed).bytes(len))),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    proptest::collection::vec(message(), 0..8)
}

fn chunks() -> impl Strategy<Value = Chunks> {
    prop_oneof![
        Just(Chunks::Whole),
        select(vec![7_usize, 100, 4096]).prop_map(Chunks::Exactly),
        (any::<u64>(), select(vec![10_usize, 1000, 100_000]))
            .prop_map(|(seed, max)| Chunks::random(seed, max)),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let fragment_size = prop_oneof![
        Just(None),
        select(vec![5_usize, 126, 1000, 9000]).prop_map(Some)
    ];
    (fragment_size, select(vec![1_usize, 1000, 64 * 1024])).prop_map(|(fragment_size, high)| {
        Config::default()
            .with_fragment_size(fragment_size)
            .with_write_buffer_high(high)
            .with_write_buffer_limit(usize::MAX)
            .with_ping_interval(None)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn messages_arrive_in_order_and_both_ends_close(
        client in config(),
        server in config(),
        writes in chunks(),
        reads in chunks(),
        delivery in select(&Delivery::ALL),
        to_server in messages(),
        to_client in messages(),
        client_closes in any::<bool>(),
    ) {
        // spec: F-16, G-07, M-01, M-03, C-14, C-15
        let mut pair = Pair::with_configs(client, server)
            .with_chunks(writes, reads)
            .with_delivery(delivery);
        for round in 0..to_server.len().max(to_client.len()) {
            if let Some(message) = to_server.get(round) {
                pair.client.connection.send(message.clone()).expect("open");
                pair.client.connection.ping(&[round as u8]).expect("open");
            }
            if let Some(message) = to_client.get(round) {
                pair.server.connection.send(message.clone()).expect("open");
            }
            pair.round();
        }
        pair.drive();
        prop_assert_eq!(pair.server.messages(), to_server);
        prop_assert_eq!(pair.client.messages(), to_client);

        let closer = if client_closes { &mut pair.client } else { &mut pair.server };
        closer.connection.close(CloseCode::NORMAL, "done").expect("open");
        pair.drive();
        for end in [&pair.client, &pair.server] {
            prop_assert_eq!(end.error, None);
            prop_assert_eq!(end.connection.state(), State::Closed);
            prop_assert!(end.connection.is_finished());
            prop_assert!(end.connection.close_info().is_some_and(|info| info.clean));
        }
        // What went over the wire is what the other role's oracle reads.
        let (_, outcome) = Receiver::SERVER.decode(&pair.client.written);
        prop_assert_eq!(outcome, Outcome::Closed);
        let (_, outcome) = Receiver::CLIENT.decode(&pair.server.written);
        prop_assert_eq!(outcome, Outcome::Closed);
    }
}

#[test]
fn the_largest_message_allowed_arrives() {
    // spec: S-01, F-12
    let payload = vec![0x5a; 16 * 1024 * 1024];
    let mut pair = Pair::new().with_chunks(Chunks::Whole, Chunks::Exactly(256 * 1024));
    let message = Message::from(payload);
    pair.client.connection.send(message.clone()).expect("open");
    pair.server.connection.send(message.clone()).expect("open");
    pair.drive();
    assert!(pair.client.messages() == [message.clone()]);
    assert!(pair.server.messages() == [message]);
}

#[test]
fn both_ends_talk_at_once() {
    // spec: C-03
    // Each answers everything that it receives, for a while, with Pings in between and small pieces.
    let mut pair = Pair::new().with_chunks(Chunks::random(1, 50), Chunks::random(2, 50));
    pair.client
        .connection
        .send(Message::text("0"))
        .expect("open");
    let mut seen = [0, 0];
    while seen[0] < 100 {
        pair.drive();
        for (index, end) in [&mut pair.client, &mut pair.server].into_iter().enumerate() {
            for message in end.messages().split_off(seen[index]) {
                seen[index] += 1;
                end.connection.ping(b"!").expect("open");
                end.connection.send(message).expect("open");
            }
        }
    }
    assert_eq!((pair.client.error, pair.server.error), (None, None));
}
