//! Pings, their deadline, the round trip, and the deadline of the closing handshake, with time as a plain number.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use ws_proto::{CloseCode, Config, Connection, Event, Initiator, Message, ProtocolError, State};
use ws_testkit::{Alone, FixedKey, Frame, Pair, vectors};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Pings every 30 s, gives up 20 s later, closes within 10 s: the defaults, written out.
fn config() -> Config {
    Config::default()
        .with_ping_interval(Some(seconds(30)))
        .with_pong_timeout(seconds(20))
        .with_idle_timeout(None)
        .with_write_timeout(Some(seconds(30)))
        .with_close_timeout(Some(seconds(10)))
}

/// What a binding does when its wait ends at `now`, up to the next wait. Gives what it wrote.
fn wait_until(end: &mut Alone, now: Duration) -> Vec<u8> {
    let due = end.connection.poll_timeout(now).expect("a deadline");
    assert!(due <= now, "woken at {now:?} for {due:?}");
    end.connection.handle_timeout(now);
    assert_eq!(end.events(), []);
    let sent = end.sent();
    end.connection.poll_timeout(now);
    sent
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    // spec: C-28, C-35, S-08
    assert_eq!(config(), Config::default());
}

#[test]
fn a_ping_goes_out_every_interval_while_the_peer_answers() {
    // spec: C-35
    let mut server = Alone::server();
    assert_eq!(
        server.connection.poll_timeout(seconds(0)),
        Some(seconds(30))
    );
    // Asking again does not move the deadline.
    assert_eq!(
        server.connection.poll_timeout(seconds(7)),
        Some(seconds(30))
    );
    let mut payloads = Vec::new();
    for round in 1..=3 {
        let ping = wait_until(&mut server, seconds(30 * round));
        assert_eq!(ping[..2], [0x89, 12], "an unmasked Ping of 12 bytes");
        let pong = Frame::pong(&ping[2..]).masked(vectors::KEY);
        assert_eq!(server.receive(&pong.bytes()).len(), 1);
        payloads.push(ping[2..].to_vec());
        assert_eq!(server.error, None);
    }
    payloads.dedup();
    assert_eq!(payloads.len(), 3, "each Ping is told from the others");
}

#[test]
fn a_client_masks_its_keepalive() {
    // spec: M-01
    let mut client = Alone::client();
    client.connection.poll_timeout(seconds(0));
    let ping = wait_until(&mut client, seconds(30));
    assert_eq!(ping[..6], [0x89, 0x8c, 0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(ping.len(), 18);
}

#[test]
fn a_silent_peer_is_given_up_after_the_pong_timeout() {
    // spec: C-35, CC-44, CC-47
    let mut server = Alone::server();
    server.connection.poll_timeout(seconds(0));
    assert_eq!(wait_until(&mut server, seconds(30)).len(), 14);
    assert_eq!(
        server.connection.poll_timeout(seconds(30)),
        Some(seconds(50))
    );
    let just_before = seconds(50) - Duration::from_nanos(1);
    server.connection.handle_timeout(just_before);
    assert_eq!(server.events(), []);
    assert_eq!(server.error, None);
    // Nobody is left to read a Close frame.
    assert_eq!(wait_until(&mut server, seconds(50)), b"");
    assert_eq!(server.error, Some(ProtocolError::PongTimeout));
    assert_eq!(server.connection.state(), State::Closed);
    assert!(server.connection.is_finished());
    let info = server.connection.close_info().expect("it has ended");
    assert_eq!(info.code(), CloseCode::ABNORMAL);
    assert_eq!(
        (info.clean, info.initiator, info.sent),
        (false, Initiator::Local, None)
    );
    assert_eq!(server.connection.poll_timeout(seconds(51)), None);
}

#[test]
fn looking_for_bytes_is_no_sign_of_life() {
    // spec: C-35
    // A binding asks for the buffer before every read, also before one that gives nothing.
    for handed in [false, true] {
        let mut server = Alone::server();
        server.connection.poll_timeout(seconds(0));
        wait_until(&mut server, seconds(30));
        if handed {
            server.receive_handed(b"");
        } else {
            server.receive(b"");
        }
        wait_until(&mut server, seconds(50));
        assert_eq!(server.error, Some(ProtocolError::PongTimeout));
    }
}

#[test]
fn bytes_that_were_there_before_the_ping_are_no_sign_of_life() {
    // spec: C-35
    // Half a frame lies in the buffer; its sender has died.
    let mut server = Alone::server();
    assert_eq!(server.receive(&vectors::CLIENT_TEXT[..8]), []);
    server.connection.poll_timeout(seconds(0));
    wait_until(&mut server, seconds(30));
    assert_eq!(server.events(), []);
    server.connection.park();
    wait_until(&mut server, seconds(50));
    assert_eq!(server.error, Some(ProtocolError::PongTimeout));
}

#[test]
fn any_byte_is_a_sign_of_life() {
    // spec: C-35
    type Receive = fn(&mut Alone, &[u8]) -> Vec<Event>;
    let ways: [Receive; 2] = [Alone::receive, Alone::receive_handed];
    // A data message, and one byte of a header.
    for bytes in [vectors::CLIENT_TEXT, &vectors::CLIENT_TEXT[..1]] {
        for receive in ways {
            let mut server = Alone::server();
            server.connection.poll_timeout(seconds(0));
            wait_until(&mut server, seconds(30));
            receive(&mut server, bytes);
            wait_until(&mut server, seconds(50));
            assert_eq!(server.error, None);
            // The next Ping and its deadline start afresh.
            assert_eq!(
                server.connection.poll_timeout(seconds(50)),
                Some(seconds(60))
            );
            wait_until(&mut server, seconds(60));
            wait_until(&mut server, seconds(80));
            assert_eq!(server.error, Some(ProtocolError::PongTimeout));
        }
    }
}

#[test]
fn a_large_frame_that_drips_keeps_the_connection_alive() {
    // spec: C-35, M-07
    let mut server = Alone::server();
    let frame = Frame::binary(vec![1; 100]).masked(vectors::KEY).bytes();
    let mut now = seconds(0);
    for byte in &frame[..frame.len() - 1] {
        server.receive(&[*byte]);
        now += seconds(15);
        if server
            .connection
            .poll_timeout(now)
            .is_some_and(|due| due <= now)
        {
            server.connection.handle_timeout(now);
            server.sent();
        }
    }
    assert_eq!(server.error, None);
    assert_eq!(server.receive(&frame[frame.len() - 1..]).len(), 1);
}

#[test]
fn a_short_interval_does_not_put_the_deadline_off() {
    // spec: C-35
    let config = config().with_ping_interval(Some(seconds(5)));
    let mut server = Alone::server_with(config);
    server.connection.poll_timeout(seconds(0));
    for now in [5, 10, 15, 20] {
        assert_eq!(wait_until(&mut server, seconds(now)).len(), 14);
        assert_eq!(server.error, None);
    }
    // The first Ping went out at 5 s.
    wait_until(&mut server, seconds(25));
    assert_eq!(server.error, Some(ProtocolError::PongTimeout));
}

/// Whoever must not take what has arrived can tell whether it is safe to ask for the failure.
#[test]
fn a_passed_deadline_is_reported_before_what_has_arrived() {
    // spec: C-35
    let mut server = Alone::server_with(config().with_ping_interval(Some(seconds(5))));
    server.connection.poll_timeout(seconds(0));
    wait_until(&mut server, seconds(5));
    assert!(!server.connection.is_overdue());
    server.connection.poll_timeout(seconds(5));
    server.connection.handle_timeout(seconds(25));
    assert!(server.connection.is_overdue());
    server
        .connection
        .handle_received(BytesMut::from(vectors::CLIENT_TEXT));
    let reported = server.connection.poll_event();
    assert_eq!(reported, Err(ProtocolError::PongTimeout));
    assert!(!server.connection.is_overdue());
    assert_eq!(server.connection.poll_event(), Ok(None));
}

#[test]
fn the_first_ping_that_stays_unanswered_starts_the_deadline() {
    // spec: C-35
    let mut server = Alone::server_with(config().with_ping_interval(Some(seconds(5))));
    assert_eq!(server.connection.poll_timeout(seconds(0)), Some(seconds(5)));
    wait_until(&mut server, seconds(5));
    let pong = Frame::pong("").masked(vectors::KEY);
    assert_eq!(server.receive(&pong.bytes()).len(), 1);
    // The Ping at 10 s is the first without an answer. The deadline of the one before it counts no more.
    for now in [10, 15, 20, 25] {
        wait_until(&mut server, seconds(now));
        assert_eq!(server.error, None, "at {now} s");
    }
    wait_until(&mut server, seconds(30));
    assert_eq!(server.error, Some(ProtocolError::PongTimeout));
}

#[test]
fn a_deadline_noticed_late_proves_nothing() {
    // spec: C-35
    // The application was busy for a minute, and the peer's Pong lies unread in the socket.
    for answers in [true, false] {
        let mut server = Alone::server();
        server.connection.poll_timeout(seconds(0));
        assert_eq!(wait_until(&mut server, seconds(30)).len(), 14);
        // 40 s late. The Ping at 60 s is late, too.
        assert_eq!(wait_until(&mut server, seconds(90)).len(), 14);
        assert_eq!(server.error, None);
        assert_eq!(
            server.connection.poll_timeout(seconds(90)),
            Some(seconds(91))
        );
        if answers {
            server.receive(&Frame::pong("").masked(vectors::KEY).bytes());
        }
        wait_until(&mut server, seconds(91));
        let error = (!answers).then_some(ProtocolError::PongTimeout);
        assert_eq!(server.error, error);
    }
}

#[test]
fn silence_that_nobody_listens_to_proves_nothing() {
    // spec: C-35
    let mut server = Alone::server();
    for minute in 0..10 {
        let now = seconds(minute * 60);
        server.connection.poll_timeout(now);
        // A Ping, and the end of its time, when nobody has read.
        for passed in [30, 50] {
            server.connection.excuse_silence();
            wait_until(&mut server, now + seconds(passed));
            server.connection.poll_timeout(now + seconds(passed));
        }
        assert_eq!(server.error, None);
    }
    // Somebody reads again, and nothing is there.
    server.connection.poll_timeout(seconds(600));
    wait_until(&mut server, seconds(630));
    server.connection.poll_timeout(seconds(630));
    assert_eq!(server.error, None);
    wait_until(&mut server, seconds(650));
    assert_eq!(server.error, Some(ProtocolError::PongTimeout));
}

#[test]
fn no_interval_no_ping() {
    let mut server = Alone::server_with(config().with_ping_interval(None));
    assert_eq!(server.connection.poll_timeout(seconds(0)), None);
    server.connection.handle_timeout(seconds(1_000_000));
    assert_eq!(server.events(), []);
    assert_eq!((server.sent(), server.error), (vec![], None));
}

#[test]
fn a_peer_that_does_not_read_gets_one_ping_and_is_not_blamed_for_it() {
    // spec: S-09, C-35
    for (high, len) in [(1, 10), (1000, 1000), (64 * 1024, 2_000_000)] {
        let config = config()
            .with_write_buffer_high(high)
            .with_write_timeout(None);
        let mut server = Alone::server_with(config);
        let message = Message::binary(vec![0; len]);
        server.connection.send(message).expect("open");
        server.connection.poll_timeout(seconds(0));
        let queued = server.connection.queued();
        for round in 1..=100 {
            // Nothing can be written.
            let now = seconds(30 * round);
            assert_eq!(server.connection.poll_timeout(now), Some(now));
            server.connection.handle_timeout(now);
            assert_eq!(server.events(), []);
            assert_eq!(server.connection.queued(), queued + 14);
        }
        assert_eq!(server.error, None);
        // Once it has its Ping it has to answer.
        server.connection.transmit().advance(queued + 13);
        let now = seconds(3010);
        let next = server.connection.poll_timeout(now);
        assert_eq!(next, Some(seconds(3030)), "the next Ping");
        assert_eq!(server.sent().len(), 1);
        assert_eq!(wait_until(&mut server, seconds(3030)).len(), 14);
        wait_until(&mut server, seconds(3050));
        assert_eq!(server.error, Some(ProtocolError::PongTimeout));
    }
}

#[test]
fn a_long_download_to_a_slow_peer_is_not_cut_off() {
    // spec: C-35, S-08
    // It takes 1000 bytes every 15 s and its Pongs are far behind; a binding asks each time, or only when it must.
    for asks in [true, false] {
        let mut server = Alone::server();
        let large = Message::binary(vec![7; 500_000]);
        server.connection.send(large).expect("open");
        let mut due = server.connection.poll_timeout(seconds(0));
        let mut pings = 0;
        for round in 1..=400 {
            let now = seconds(15 * round);
            server.connection.transmit().advance(1000);
            if due.is_some_and(|due| due <= now) {
                let queued = server.connection.queued();
                server.connection.handle_timeout(now);
                pings += usize::from(server.connection.queued() > queued);
                due = server.connection.poll_timeout(now);
            } else if asks || server.connection.deadline_moved() {
                due = server.connection.poll_timeout(now);
            }
            assert_eq!(server.events(), []);
            assert_eq!(server.error, None, "asks: {asks}, after {now:?}");
        }
        assert_eq!(pings, 1);
    }
}

#[test]
fn a_peer_that_takes_what_had_to_wait_lives() {
    // spec: C-35
    // The Ping is out, and so much else is on its way to a slow peer that its Pong takes minutes.
    for takes in [true, false] {
        let mut server = Alone::server_with(config().with_write_timeout(None));
        server.connection.poll_timeout(seconds(0));
        assert_eq!(wait_until(&mut server, seconds(30)).len(), 14);
        let large = Message::binary(vec![7; 500_000]);
        server.connection.send(large).expect("open");
        // What the transport takes at once says nothing about the peer.
        server.connection.transmit().advance(100_000);
        assert_eq!(
            server.connection.poll_timeout(seconds(31)),
            Some(seconds(50))
        );
        if takes {
            server.connection.transmit().advance(1);
        }
        server.connection.handle_timeout(seconds(50));
        assert_eq!(server.events(), []);
        let error = (!takes).then_some(ProtocolError::PongTimeout);
        assert_eq!(server.error, error);
    }
}

#[test]
fn a_pong_that_comes_before_anybody_looks_at_the_clock_counts() {
    // spec: C-35
    let mut server = Alone::server();
    server.connection.poll_timeout(seconds(0));
    server.connection.handle_timeout(seconds(30));
    let ping = server.sent();
    let pong = Frame::pong(&ping[2..]).masked(vectors::KEY);
    assert_eq!(server.receive(&pong.bytes()).len(), 1);
    assert_eq!(
        server.connection.poll_timeout(seconds(31)),
        Some(seconds(60)),
        "the next Ping, and no deadline for the one that was answered"
    );
    assert_eq!(server.connection.rtt(), Some(seconds(1)));
}

#[test]
fn the_round_trip_is_that_of_the_newest_ping_that_was_answered() {
    // spec: C-35
    let millis = Duration::from_millis;
    let mut server = Alone::server();
    let pong = |server: &mut Alone, data: &[u8], now| {
        let pong = Frame::pong(data).masked(vectors::KEY);
        assert_eq!(server.receive(&pong.bytes()).len(), 1);
        server.connection.handle_timeout(now);
        server.connection.rtt()
    };
    server.connection.poll_timeout(seconds(0));
    assert_eq!(pong(&mut server, b"", millis(10)), None);
    let first = wait_until(&mut server, seconds(30));
    let first = &first[2..];
    // Neither somebody else's nor one with other data counts.
    assert_eq!(pong(&mut server, b"", millis(30_010)), None);
    assert_eq!(pong(&mut server, &first[1..], millis(30_020)), None);
    assert_eq!(
        pong(&mut server, &[first, b"?"].concat(), millis(30_030)),
        None
    );
    let rtt = Some(millis(40));
    assert_eq!(pong(&mut server, first, millis(30_040)), rtt);
    assert_eq!(server.connection.stats().rtt, rtt);
    // A Ping has one answer.
    assert_eq!(pong(&mut server, first, millis(30_050)), rtt);

    // It is measured from when the transport has the Ping.
    server.connection.poll_timeout(seconds(60));
    server.connection.handle_timeout(seconds(60));
    server.connection.poll_timeout(seconds(60));
    // Its number and its time.
    let guessed = [&[0, 0, 0, 2], &60_000_000_000_u64.to_be_bytes()[..]].concat();
    assert_eq!(
        pong(&mut server, &guessed, seconds(62)),
        rtt,
        "not yet sent"
    );
    assert!(server.connection.queued() > 0);
    let second = server.sent();
    server.connection.poll_timeout(seconds(65));
    assert_eq!(second[2..], guessed);
    let rtt = Some(millis(7));
    assert_eq!(pong(&mut server, &second[2..], millis(65_007)), rtt);

    // A Ping that is not answered is not measured.
    let third = wait_until(&mut server, seconds(90));
    let fourth = wait_until(&mut server, seconds(110)).len();
    assert_eq!(
        (fourth, server.error),
        (0, Some(ProtocolError::PongTimeout))
    );
    assert_eq!(server.connection.rtt(), rtt);
    assert_eq!(third.len(), 14);
}

/// The answer of a peer to a Ping, which comes at `now`; gives the round trip as it is known then.
fn answer(server: &mut Alone, ping: &[u8], now: Duration) -> Option<Duration> {
    let pong = Frame::pong(&ping[2..]).masked(vectors::KEY);
    server.receive(&pong.bytes());
    server.connection.handle_timeout(now);
    server.connection.rtt()
}

/// Pings 1 to `count`, sent every 5 s from second 5 on.
fn pings(server: &mut Alone, count: u64) -> Vec<Vec<u8>> {
    server.connection.poll_timeout(seconds(0));
    let ping = |number| wait_until(server, seconds(5 * number));
    (1..=count).map(ping).collect()
}

fn pinging_server() -> Alone {
    let config = config().with_ping_interval(Some(seconds(5)));
    Alone::server_with(config.with_pong_timeout(seconds(60)))
}

#[test]
fn a_round_trip_may_be_longer_than_the_interval() {
    // spec: C-35
    let mut server = pinging_server();
    let pings = pings(&mut server, 3);
    let rtt = Some(seconds(11));
    assert_eq!(answer(&mut server, &pings[0], seconds(16)), rtt);
    assert_eq!(
        server.connection.poll_timeout(seconds(16)),
        Some(seconds(20))
    );
    // The same again says nothing.
    assert_eq!(answer(&mut server, &pings[0], seconds(17)), rtt);
    let fourth = wait_until(&mut server, seconds(20));
    let rtt = Some(seconds(12));
    assert_eq!(answer(&mut server, &pings[1], seconds(22)), rtt);
    // A peer may leave out all but the newest it has (RFC 6455 §5.5.3).
    let rtt = Some(seconds(4));
    assert_eq!(answer(&mut server, &fourth, seconds(24)), rtt);
    // What comes later is of an older Ping.
    assert_eq!(answer(&mut server, &pings[2], seconds(24)), rtt);
}

#[test]
fn a_pong_that_brings_back_what_was_never_sent_is_not_measured() {
    // spec: C-35
    let mut server = pinging_server();
    let pings = pings(&mut server, 3);
    let forge = |number: u8, at: u64| {
        let at = at * 1_000_000_000;
        [&[0, 0, 0, 0, 0, number], &at.to_be_bytes()[..]].concat()
    };
    // No such Ping, one that was sent later than any, and too little of one.
    for forged in [
        forge(0, 5),
        forge(4, 15),
        forge(2, 17),
        pings[1][..13].to_vec(),
    ] {
        assert_eq!(answer(&mut server, &forged, seconds(16)), None);
    }
    assert_eq!(
        answer(&mut server, &pings[1], seconds(16)),
        Some(seconds(6))
    );
}

#[test]
fn a_pong_is_measured_before_the_deadlines_are_looked_at() {
    // spec: C-35
    // A Ping and its deadline are due when the answer is found, in the middle of what has arrived.
    let config = config()
        .with_idle_timeout(Some(seconds(40)))
        .with_ping_interval(Some(seconds(20)));
    let mut server = Alone::server_with(config);
    server.connection.poll_timeout(seconds(0));
    let ping = wait_until(&mut server, seconds(20));
    let pong = Frame::pong(&ping[2..]).masked(vectors::KEY);
    let received = [&pong.bytes()[..], vectors::CLIENT_TEXT].concat();
    server
        .connection
        .receive_buffer()
        .extend_from_slice(&received);
    assert!(matches!(
        server.connection.poll_event(),
        Ok(Some(Event::Pong(_)))
    ));
    server.connection.handle_timeout(seconds(40));
    assert_eq!(server.connection.rtt(), Some(seconds(20)));
    assert_eq!(server.connection.state(), State::Open);
    assert_eq!(server.connection.queued(), 0);
    assert_eq!(server.events().len(), 1);
    // The text has put the idle deadline off; the Ping goes out now.
    assert_eq!(wait_until(&mut server, seconds(40)).len(), 14);
    assert_eq!(server.connection.state(), State::Open);
}

#[test]
fn keepalive_survives_any_buffer_limits() {
    // A limit below the mark must not make the connection refuse its own Ping.
    for (high, limit) in [(64 * 1024, 0), (64 * 1024, 100), (0, 1000), (0, 0)] {
        let config = config()
            .with_write_buffer_high(high)
            .with_write_buffer_limit(limit)
            .with_write_timeout(None);
        let mut server = Alone::server_with(config);
        if limit == 100 {
            let message = Message::binary(vec![0; 100]);
            server.connection.send(message).expect("open");
        }
        server.connection.poll_timeout(seconds(0));
        let sent = wait_until(&mut server, seconds(30));
        assert!(sent.len() >= 10, "high {high}, limit {limit}");
        assert_eq!(server.error, None);
    }
}

#[test]
fn the_closing_handshake_has_one_deadline() {
    // spec: C-28, CC-44
    let mut client = Alone::client();
    assert_eq!(
        client.connection.poll_timeout(seconds(0)),
        Some(seconds(30))
    );
    client
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    assert_eq!(client.sent().len(), 8);
    assert_eq!(
        client.connection.poll_timeout(seconds(25)),
        Some(seconds(35))
    );
    // Neither Pings nor data of the peer move it, and no Ping of ours is due at 30 s.
    client.receive(vectors::SERVER_PING);
    client.receive(vectors::SERVER_TEXT);
    client.sent();
    client.connection.handle_timeout(seconds(30));
    assert_eq!(client.sent(), b"");
    assert_eq!(
        client.connection.poll_timeout(seconds(34)),
        Some(seconds(35))
    );
    assert_eq!(client.error, None);
    wait_until(&mut client, seconds(35));
    assert_eq!(client.error, Some(ProtocolError::CloseTimeout));
    assert!(client.connection.is_finished());
    let info = client.connection.close_info().expect("it has ended");
    assert_eq!(info.code(), CloseCode::ABNORMAL);
    assert_eq!(info.sent, Some(Some(CloseCode::NORMAL)));
    assert_eq!(info.failure, Some(ProtocolError::CloseTimeout));
    assert!(!info.clean);
}

#[test]
fn a_client_waits_for_the_end_of_tcp_only_so_long() {
    // spec: C-14, C-28
    let mut client = Alone::client();
    let events = client.receive(&Frame::close(1000, "").bytes());
    assert_eq!(events.len(), 1);
    assert_eq!(client.sent().len(), 8);
    assert_eq!(client.connection.state(), State::Closed);
    assert!(!client.connection.is_finished());
    assert_eq!(
        client.connection.poll_timeout(seconds(5)),
        Some(seconds(15))
    );
    wait_until(&mut client, seconds(15));
    // The closing handshake itself was done: that is no error.
    assert_eq!(client.error, None);
    assert!(client.connection.is_finished());
    assert!(client.connection.close_info().expect("closed").clean);
}

#[test]
fn a_failed_connection_is_drained_only_so_long() {
    // spec: C-25, C-28
    let mut server = Alone::server();
    server.receive(b"\xff");
    assert!(server.error.is_some());
    assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    assert!(!server.connection.is_finished());
    assert_eq!(
        server.connection.poll_timeout(seconds(1)),
        Some(seconds(11))
    );
    wait_until(&mut server, seconds(11));
    assert!(server.connection.is_finished());
}

#[test]
fn a_peer_that_never_reads_our_close_is_given_up() {
    // spec: C-21, C-28
    let mut server = Alone::server();
    server.receive(vectors::CLIENT_CLOSE_1000);
    // Nothing can be written, and the deadline for that does not matter any more.
    server.connection.poll_timeout(seconds(0));
    assert!(!server.connection.wants_shutdown());
    server.connection.handle_timeout(seconds(9));
    assert_eq!(server.events(), []);
    assert!(!server.connection.is_finished());
    wait_until(&mut server, seconds(10));
    assert_eq!(server.error, None);
    assert!(server.connection.is_finished());
    assert_eq!(server.sent(), b"");
    let info = server.connection.close_info().expect("closed");
    assert_eq!((info.sent, info.clean), (None, false));
}

#[test]
fn no_close_timeout_no_deadline() {
    let mut server = Alone::server_with(config().with_close_timeout(None));
    server.connection.close_without_code().expect("open");
    assert_eq!(server.connection.poll_timeout(seconds(0)), None);
    server.connection.handle_timeout(seconds(1_000_000));
    assert_eq!(server.events(), []);
    assert_eq!(server.error, None);
}

#[test]
fn a_deadline_shows_in_the_state_before_it_is_reported() {
    // spec: C-35
    let mut server = Alone::server();
    server.connection.poll_timeout(seconds(0));
    wait_until(&mut server, seconds(30));
    server.connection.poll_timeout(seconds(30));
    server.connection.handle_timeout(seconds(50));
    assert_ne!(server.connection.state(), State::Open);
    let info = server.connection.close_info().expect("it is ending");
    assert_eq!(info.failure, Some(ProtocolError::PongTimeout));
    assert_eq!(
        server.connection.poll_event(),
        Err(ProtocolError::PongTimeout)
    );
    assert_eq!(server.connection.poll_event(), Ok(None));
}

#[test]
fn time_may_stand_at_its_end() {
    let mut server = Alone::server();
    let due = server.connection.poll_timeout(Duration::MAX);
    assert_eq!(due, Some(Duration::MAX));
    server.connection.handle_timeout(Duration::MAX);
    assert_eq!(server.sent().len(), 14);
}

#[test]
fn two_ends_keep_each_other_alive() {
    // spec: C-03, C-35
    let mut pair = Pair::with_configs(config(), config());
    for second in 0..600 {
        pair.tick(seconds(second));
    }
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.error, None);
        let pings = end
            .events
            .iter()
            .filter(|event| matches!(event, Event::Ping(_)));
        assert_eq!(pings.count(), 19);
    }
    // One end falls silent.
    pair.server.stalled = true;
    for second in 600..660 {
        pair.tick(seconds(second));
    }
    assert_eq!(pair.server.error, Some(ProtocolError::PongTimeout));
}

#[test]
fn received_bytes_behind_the_opening_handshake_are_heard() {
    // spec: F-15
    let received = bytes::BytesMut::from(vectors::SERVER_TEXT);
    let client = Connection::client(config(), FixedKey(vectors::KEY)).with_received(received);
    let mut client = Alone::new(client);
    assert_eq!(client.events().len(), 1);
    let nothing = bytes::BytesMut::new();
    let mut server = Alone::new(Connection::server(config()).with_received(nothing));
    assert_eq!(server.events(), []);
}
