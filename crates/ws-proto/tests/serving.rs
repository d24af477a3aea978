//! What a server keeps about its connections: places, numbers, and the end.

use std::time::Duration;

use bytes::Buf;
use ws_proto::serving::{Admission, Backoff, Drain, Drained, Opened, Registry, ServerStats};
use ws_proto::{CloseCode, Config, Connection, Initiator, SendError};

const START: Duration = Duration::ZERO;

/// An open connection with a place.
fn open(registry: &mut Registry<&'static str>, held: &'static str) -> u64 {
    let Admission::Served(id) = registry.admit(None, START) else {
        panic!("there is a place");
    };
    assert_eq!(registry.open(id, "/", held), Opened::Served);
    id
}

fn turned_away(admission: Admission) -> u64 {
    match admission {
        Admission::TurnedAway(id) => id,
        other => panic!("{other:?}"),
    }
}

/// The sums that the documentation of `ServerStats` promises.
fn adds_up(stats: &ServerStats) {
    let refused: u64 = stats.refused.values().sum();
    assert_eq!(
        stats.accepted,
        stats.in_handshake as u64
            + stats.opened
            + stats.answered
            + refused
            + stats.failed
            + stats.turned_away
    );
    let closes: u64 = stats.closes.values().sum();
    assert_eq!(stats.opened, stats.open as u64 + closes);
}

/// A server's end that has received one message, and then ended as `end` says.
fn ended(end: impl FnOnce(&mut Connection)) -> Connection {
    let mut server = Connection::server(Config::default());
    server
        .receive_buffer()
        .extend_from_slice(&[0x81, 0x81, 0, 0, 0, 0, b'a']);
    assert!(server.poll_event().expect("valid").is_some());
    end(&mut server);
    // An event or an error; either way it is over.
    _ = server.poll_event();
    let owed = server.transmit().remaining();
    server.transmit().advance(owed);
    server
}

#[test]
fn places_are_limited_and_come_back() {
    let mut registry = Registry::new(2);
    let first = open(&mut registry, "first");
    // A connection in its opening handshake takes a place too.
    let Admission::Served(second) = registry.admit(None, START) else {
        panic!("there is a place");
    };
    let third = turned_away(registry.admit(None, START));
    registry.refused(third, 503);
    registry.failed(second);
    assert!(matches!(registry.admit(None, START), Admission::Served(id) if id > third));
    registry.closed(first, None, &Connection::server(Config::default()).stats());
    assert!(matches!(registry.admit(None, START), Admission::Served(_)));
    let (stats, held) = registry.stats();
    assert!(held.is_empty());
    adds_up(&stats);
    assert_eq!((stats.accepted, stats.in_handshake), (5, 2));
    assert_eq!(stats.refused.get(&503), Some(&1));
}

#[test]
fn only_so_many_are_told_that_there_is_no_place() {
    let mut registry = Registry::<()>::new(0);
    let told: Vec<_> = (0..64)
        .map(|_| turned_away(registry.admit(None, START)))
        .collect();
    assert!(!registry.can_turn_away());
    assert_eq!(registry.admit(None, START), Admission::Dropped);
    registry.refused(told[0], 503);
    registry.failed(told[1]);
    turned_away(registry.admit(None, START));
    turned_away(registry.admit(None, START));
    assert_eq!(registry.admit(None, START), Admission::Dropped);
    let (stats, _) = registry.stats();
    adds_up(&stats);
    assert_eq!((stats.turned_away, stats.in_handshake), (2, 64));
}

#[test]
fn ends_are_counted_by_code_and_by_who_began() {
    let mut registry = Registry::new(10);
    let ends: [fn(&mut Connection); 6] = [
        // The peer closes with 1000, with 4000, and without a code.
        |server| {
            server
                .receive_buffer()
                .extend_from_slice(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
        },
        |server| {
            server
                .receive_buffer()
                .extend_from_slice(&[0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0]);
        },
        |server| {
            server
                .receive_buffer()
                .extend_from_slice(&[0x88, 0x80, 0, 0, 0, 0])
        },
        // The peer leaves.
        Connection::handle_eof,
        // It was closed here, and the peer said the same.
        |server| {
            server.close(CloseCode::NORMAL, "").expect("open");
            server
                .receive_buffer()
                .extend_from_slice(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
        },
        // It was closed here, and the peer says nothing and leaves.
        |server| {
            server.close(CloseCode::TRY_AGAIN_LATER, "").expect("open");
            let owed = server.transmit().remaining();
            server.transmit().advance(owed);
            server.handle_eof();
        },
    ];
    for end in ends {
        let id = open(&mut registry, "");
        let connection = ended(end);
        registry.closed(id, connection.close_info().as_ref(), &connection.stats());
    }
    // It was dropped here.
    let id = open(&mut registry, "");
    let dropped = Connection::server(Config::default());
    registry.closed(id, dropped.close_info().as_ref(), &dropped.stats());

    let (stats, _) = registry.stats();
    adds_up(&stats);
    let expected = [
        (1000, Initiator::Local, 1),
        (1000, Initiator::Remote, 1),
        (1005, Initiator::Remote, 1),
        // The silent one, and the one that was dropped.
        (1006, Initiator::Local, 2),
        (1006, Initiator::Remote, 1),
        (4000, Initiator::Remote, 1),
    ];
    let closes: Vec<_> = stats
        .closes
        .iter()
        .map(|((code, initiator), count)| (code.get(), *initiator, *count))
        .collect();
    assert_eq!(closes, expected);
    // What this end said: a Close is answered with the same code (§5.5.1).
    let sent: Vec<_> = stats
        .closes_sent
        .iter()
        .map(|(code, count)| (code.get(), *count))
        .collect();
    assert_eq!(sent, [(1000, 2), (1005, 1), (1013, 1), (4000, 1)]);
    assert_eq!(stats.received.messages, 6);
    assert_eq!(stats.received.bytes, 6 * 7 + 8 + 8 + 6 + 8);
}

#[test]
fn a_server_that_ends_gives_nobody_a_place_and_counts_who_leaves() {
    let mut registry = Registry::new(10);
    let gone = open(&mut registry, "gone");
    registry.closed(gone, None, &Connection::server(Config::default()).stats());
    let ids = ["a", "b", "c"].map(|held| open(&mut registry, held));
    let Admission::Served(late) = registry.admit(None, START) else {
        panic!("there is a place");
    };
    let Admission::Served(slow) = registry.admit(None, START) else {
        panic!("there is a place");
    };
    assert!(!registry.is_draining());
    assert_eq!(registry.begin_drain(), ["a", "b", "c"]);
    assert!(registry.is_draining());
    turned_away(registry.admit(None, START));
    assert_eq!(registry.open(late, "/", "late"), Opened::Late);

    let clean = ended(|server| {
        server
            .receive_buffer()
            .extend_from_slice(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
    });
    registry.closed(ids[0], clean.close_info().as_ref(), &clean.stats());
    let lost = ended(Connection::handle_eof);
    registry.closed(ids[1], lost.close_info().as_ref(), &lost.stats());
    assert_eq!(registry.cut(), ["c", "late"]);
    for id in [ids[2], late] {
        registry.closed(id, None, &lost.stats());
    }
    registry.failed(slow);
    let mut expected = Drained::default();
    (expected.closed, expected.lost, expected.aborted) = (1, 1, 3);
    assert_eq!(registry.drained(), expected);
    adds_up(&registry.stats().0);
}

/// What waits is what waits now; what was dropped stays dropped.
#[test]
fn what_waits_and_what_was_dropped_is_summed_up() {
    let mut registry = Registry::new(10);
    let (over, still) = (open(&mut registry, "over"), open(&mut registry, "still"));
    let [over_stats, first, second] = [(1, 300), (2, 200), (4, 100)].map(|(share, millis)| {
        let mut stats = Connection::server(Config::default()).stats();
        (stats.queued, stats.backlog, stats.dropped) = (share, share * 10, share as u64 * 100);
        stats.rtt = Some(Duration::from_millis(millis));
        stats
    });
    registry.closed(over, None, &over_stats);
    let (mut stats, held) = registry.stats();
    assert_eq!(held, ["still"]);
    assert_eq!((stats.queued, stats.backlog, stats.dropped), (0, 0, 100));
    assert_eq!(stats.longest_rtt, None);
    stats.add_open(&first);
    stats.add_open(&second);
    assert_eq!((stats.queued, stats.backlog, stats.dropped), (6, 60, 700));
    assert_eq!(stats.longest_rtt, Some(Duration::from_millis(200)));
    registry.closed(still, None, &first);
    let (stats, _) = registry.stats();
    assert_eq!((stats.queued, stats.backlog, stats.dropped), (0, 0, 300));
}

#[test]
fn connections_are_told_apart() {
    let mut registry = Registry::new(10);
    let address = "[::1]:7".parse().expect("an address");
    let Admission::Served(id) = registry.admit(Some(address), Duration::from_secs(1)) else {
        panic!("there is a place");
    };
    assert!(registry.connections(START).is_empty());
    registry.open(id, "/chat", "held");
    let found = registry.connections(Duration::from_secs(3));
    let [(connection, "held")] = &*found else {
        panic!("{found:?}");
    };
    assert_eq!((connection.id, connection.peer_addr), (1, Some(address)));
    assert_eq!(connection.path, "/chat");
    assert_eq!(connection.age, Duration::from_secs(2));
}

#[test]
fn close_frames_are_spread_evenly_over_the_window() {
    let drain = Drain::default()
        .with_window(Duration::from_secs(10))
        .with_deadline(Duration::from_secs(60));
    let at = |index, count| drain.close_at(index, count);
    assert_eq!(at(0, 1), Duration::ZERO);
    let times: Vec<_> = (0..5).map(|index| at(index, 5).as_secs()).collect();
    assert_eq!(times, [0, 2, 4, 6, 8]);
    assert_eq!(at(999, 1000), Duration::from_millis(9990));
    // Not after the deadline, and never beyond any bounds.
    let short = drain.clone().with_deadline(Duration::from_secs(5));
    assert_eq!(short.close_at(1, 2), Duration::from_millis(2500));
    assert_eq!(at(usize::MAX, 3), Duration::from_secs(10));
    assert_eq!(at(3, 0), Duration::ZERO);
    let none = drain.with_window(Duration::ZERO);
    assert_eq!(none.close_at(7, 9), Duration::ZERO);
    let long = Drain::default()
        .with_window(Duration::MAX)
        .with_deadline(Duration::MAX);
    assert!(long.close_at(usize::MAX, 1) <= Duration::MAX);
}

/// spec: CC-03, CC-42
#[test]
fn a_drain_that_cannot_be_told_is_refused() {
    let default = Drain::default();
    assert_eq!(
        (default.code(), default.reason()),
        (CloseCode::GOING_AWAY, "")
    );
    let restart = Drain::new(CloseCode::SERVICE_RESTART, "soon").expect("it may be sent");
    assert_eq!((restart.code().get(), restart.reason()), (1012, "soon"));
    for (code, reason) in [
        (CloseCode::NO_STATUS, ""),
        (CloseCode::ABNORMAL, ""),
        (CloseCode::MANDATORY_EXTENSION, ""),
        (CloseCode::new(999), ""),
        (CloseCode::NORMAL, &*"x".repeat(124)),
    ] {
        assert!(
            matches!(Drain::new(code, reason), Err(SendError::ClosePayload(_))),
            "{code}"
        );
    }
}

#[test]
fn waits_double_up_to_a_second() {
    let mut backoff = Backoff::new();
    let waits: Vec<_> = (0..10).map(|_| backoff.wait().as_millis()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    backoff.reset();
    assert_eq!(backoff.wait(), Backoff::FIRST);
}

#[test]
fn what_concerns_one_connection_is_waited_for_only_when_nothing_else_comes() {
    let mut backoff = Backoff::new();
    for _ in 0..3 {
        for _ in 1..Backoff::IN_A_ROW {
            assert_eq!(backoff.wait_after_one(), None);
        }
        assert_eq!(backoff.wait_after_one(), Some(Backoff::FIRST));
    }
    for _ in 1..Backoff::IN_A_ROW {
        assert_eq!(backoff.wait_after_one(), None);
    }
    backoff.reset();
    assert_eq!(backoff.wait_after_one(), None);
    assert_eq!(backoff.wait(), Backoff::FIRST);
}
