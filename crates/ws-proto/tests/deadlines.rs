//! A peer that does not take what it is owed, a connection that nobody uses, and when a binding has to ask again; with
//! time as a plain number.

use std::time::Duration;

use bytes::Buf;
use ws_proto::{CloseCode, Config, Event, Initiator, Message, ProtocolError, State};
use ws_testkit::{Alone, Frame, Pair, Prng, vectors};

const KEY: [u8; 4] = vectors::KEY;
const NANO: Duration = Duration::from_nanos(1);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The write deadline alone.
fn writing() -> Alone {
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_timeout(Some(seconds(30)));
    Alone::server_with(config)
}

/// The idle deadline alone.
fn idling() -> Alone {
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_timeout(None)
        .with_idle_timeout(Some(seconds(60)));
    Alone::server_with(config)
}

/// Queues a message with a frame of so many bytes.
fn queue(end: &mut Alone, frame_len: usize) {
    let header_len = if frame_len < 128 { 2 } else { 4 };
    let message = Message::binary(vec![7; frame_len - header_len]);
    let before = end.connection.queued();
    end.connection.send(message).expect("open");
    assert_eq!(end.connection.queued(), before + frame_len);
}

/// A Ping of the peer, answered and written.
fn answer_a_ping(end: &mut Alone) {
    assert_eq!(end.receive(vectors::CLIENT_PING).len(), 1);
    assert_eq!(end.sent().len(), 7);
}

#[test]
fn a_transport_that_lets_nothing_go_is_given_up() {
    // spec: S-08, CC-44
    for lets_go in [false, true] {
        let mut server = writing();
        queue(&mut server, 1000);
        assert!(!server.sent().is_empty());
        server.connection.handle_held_back(true);
        assert!(server.connection.deadline_moved());
        let due = seconds(35);
        assert_eq!(server.connection.poll_timeout(seconds(5)), Some(due));
        assert_eq!(server.connection.poll_timeout(seconds(20)), Some(due));
        server.connection.handle_held_back(!lets_go);
        server.connection.handle_timeout(due);
        assert_eq!(server.events(), []);
        let error = (!lets_go).then_some(ProtocolError::WriteTimeout);
        assert_eq!(server.error, error);
    }
}

#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    // spec: S-08, CC-44
    let mut server = writing();
    assert_eq!(server.connection.poll_timeout(seconds(0)), None);
    queue(&mut server, 1000);
    let due = seconds(35);
    assert_eq!(server.connection.poll_timeout(seconds(5)), Some(due));
    // Asking again does not move it, nor do bytes of the peer.
    server.receive(vectors::CLIENT_TEXT);
    assert_eq!(server.connection.poll_timeout(seconds(20)), Some(due));
    server.connection.handle_timeout(due - NANO);
    assert_eq!(server.events(), []);
    assert_eq!(server.error, None);

    server.connection.handle_timeout(due);
    assert_ne!(server.connection.state(), State::Open);
    assert_eq!(server.events(), []);
    assert_eq!(server.error, Some(ProtocolError::WriteTimeout));
    // No Close frame: nobody reads.
    assert_eq!(server.sent(), b"");
    assert_eq!(server.connection.state(), State::Closed);
    assert!(server.connection.is_finished());
    assert_eq!(server.connection.poll_timeout(due), None);
    let info = server.connection.close_info().expect("it has ended");
    assert_eq!(info.code(), CloseCode::ABNORMAL);
    assert_eq!(
        (info.clean, info.initiator, info.sent),
        (false, Initiator::Local, None)
    );
}

#[test]
fn a_peer_that_takes_a_byte_now_and_then_may_take_its_time() {
    // spec: S-08
    // A binding asks before each wait, or only once a deadline has passed.
    for asks in [true, false] {
        let mut server = writing();
        queue(&mut server, 1000);
        let mut due = server.connection.poll_timeout(seconds(0)).expect("owed");
        for round in 1..=100 {
            let now = seconds(29 * round);
            server.connection.transmit().advance(1);
            if asks {
                due = server.connection.poll_timeout(now).expect("owed");
                assert_eq!(due, now + seconds(30));
            } else if due <= now {
                server.connection.handle_timeout(now);
                due = server.connection.poll_timeout(now).expect("owed");
            }
            assert_eq!(server.events(), []);
            assert_eq!(server.error, None, "after {now:?}");
        }
        // From now on it takes nothing. One that was not asked meanwhile finds the last byte first.
        if !asks {
            server.connection.transmit().advance(1);
        }
        server.connection.handle_timeout(due);
        if !asks {
            assert_eq!(server.events(), []);
            assert_eq!(server.error, None);
            assert_eq!(server.connection.poll_timeout(due), Some(due + seconds(30)));
            due += seconds(30);
            server.connection.handle_timeout(due);
        }
        assert_eq!(server.events(), []);
        assert_eq!(server.error, Some(ProtocolError::WriteTimeout));
    }
}

#[test]
fn nothing_owed_nothing_overdue() {
    // spec: S-08
    let mut server = writing();
    queue(&mut server, 1000);
    assert_eq!(
        server.connection.poll_timeout(seconds(0)),
        Some(seconds(30))
    );
    server.sent();
    // A binding may have kept its timer.
    server.connection.handle_timeout(seconds(30));
    assert_eq!(server.connection.poll_timeout(seconds(30)), None);
    // What is owed later has its own deadline.
    queue(&mut server, 1000);
    server.connection.handle_timeout(seconds(31));
    assert_eq!(
        server.connection.poll_timeout(seconds(40)),
        Some(seconds(61))
    );
    assert_eq!(server.events(), []);
    assert_eq!(server.error, None);
}

#[test]
fn an_unanswered_ping_of_the_peer_is_owed() {
    // spec: S-08, S-09
    let mut server = writing();
    server.receive(vectors::CLIENT_PING);
    assert_eq!(
        server.connection.poll_timeout(seconds(0)),
        Some(seconds(30))
    );
}

#[test]
fn a_stall_noticed_late_proves_nothing() {
    // spec: S-08
    // The application was busy for minutes, and nobody tried to write.
    for takes in [true, false] {
        let mut server = writing();
        queue(&mut server, 1000);
        server.connection.poll_timeout(seconds(0));
        server.connection.handle_timeout(seconds(200));
        assert_eq!(server.events(), []);
        assert_eq!(server.error, None);
        let due = server.connection.poll_timeout(seconds(200));
        assert_eq!(due, Some(seconds(201)));
        if takes {
            server.connection.transmit().advance(1);
        }
        server.connection.handle_timeout(seconds(201));
        assert_eq!(server.events(), []);
        let error = (!takes).then_some(ProtocolError::WriteTimeout);
        assert_eq!(server.error, error);
    }
}

#[test]
fn no_write_timeout_no_deadline() {
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_timeout(None);
    let mut server = Alone::server_with(config);
    queue(&mut server, 1000);
    assert_eq!(server.connection.poll_timeout(seconds(0)), None);
    server.connection.handle_timeout(seconds(1_000_000));
    assert_eq!(server.events(), []);
    assert_eq!(server.error, None);
}

#[test]
fn an_idle_connection_is_closed_and_that_is_no_error() {
    // spec: S-08, CC-42
    let mut server = idling();
    let due = seconds(70);
    assert_eq!(server.connection.poll_timeout(seconds(10)), Some(due));
    assert_eq!(server.connection.poll_timeout(seconds(40)), Some(due));
    server.connection.handle_timeout(due - NANO);
    assert_eq!(server.connection.state(), State::Open);

    server.connection.handle_timeout(due);
    assert_eq!(server.events(), []);
    assert_eq!(server.connection.state(), State::Closing);
    assert_eq!(server.sent(), b"\x88\x06\x03\xe9idle");
    // From here on it is any closing handshake.
    assert_eq!(server.connection.poll_timeout(due), Some(due + seconds(10)));
    let answer = Frame::close(1001, "").masked(KEY);
    assert_eq!(server.receive(&answer.bytes()).len(), 1);
    assert_eq!(server.error, None);
    assert!(server.connection.wants_shutdown());
    let info = server.connection.close_info().expect("closed");
    assert_eq!((info.clean, info.initiator), (true, Initiator::Local));
}

#[test]
fn an_idle_peer_that_is_gone_ends_in_the_close_timeout() {
    // spec: S-08, C-28
    let mut server = idling();
    server.connection.poll_timeout(seconds(0));
    server.connection.handle_timeout(seconds(60));
    server.sent();
    assert_eq!(
        server.connection.poll_timeout(seconds(60)),
        Some(seconds(70))
    );
    server.connection.handle_timeout(seconds(70));
    assert_eq!(server.events(), []);
    assert_eq!(server.error, Some(ProtocolError::CloseTimeout));
    assert!(server.connection.is_finished());
}

#[test]
fn data_either_way_is_use_and_control_frames_are_not() {
    // spec: S-08
    type Happening = fn(&mut Alone);
    let uses: [Happening; 6] = [
        |end| assert_eq!(end.receive(vectors::CLIENT_TEXT).len(), 1),
        // A part of a message, be it the header alone.
        |end| assert_eq!(end.receive(&vectors::CLIENT_TEXT[..6]), []),
        |end| {
            assert_eq!(
                end.receive(&Frame::text("").not_fin().masked(KEY).bytes()),
                []
            )
        },
        |end| queue(end, 10),
        |end| {
            queue(end, 10);
            end.sent();
        },
        |end| end.connection.send(Message::text("")).expect("open"),
    ];
    let none: [Happening; 5] = [
        |_| {},
        answer_a_ping,
        |end| end.connection.ping(b"").expect("open"),
        |end| assert_eq!(end.receive(&Frame::pong("").masked(KEY).bytes()).len(), 1),
        // Half a header, of what nobody knows.
        |end| assert_eq!(end.receive(&vectors::CLIENT_TEXT[..1]), []),
    ];
    for (happenings, is_use) in [(&uses[..], true), (&none[..], false)] {
        for (number, happening) in happenings.iter().enumerate() {
            // A binding asks before its next wait, or only when the deadline has passed.
            for asks in [true, false] {
                let mut server = idling();
                server.connection.poll_timeout(seconds(0));
                happening(&mut server);
                assert!(!is_use || server.connection.deadline_moved());
                if asks {
                    let due = if is_use { 70 } else { 60 };
                    assert_eq!(
                        server.connection.poll_timeout(seconds(10)),
                        Some(seconds(due)),
                        "{number} of {is_use}"
                    );
                }
                server.connection.handle_timeout(seconds(60));
                let state = if is_use { State::Open } else { State::Closing };
                assert_eq!(server.connection.state(), state, "{number} of {is_use}");
            }
        }
    }
}

#[test]
fn a_message_under_way_is_use() {
    // spec: S-08
    // In: a large frame drips. Out: a large frame is taken little by little.
    let large = Frame::binary(vec![7; 100]).masked(KEY).bytes();
    let mut server = idling();
    server.connection.poll_timeout(seconds(0));
    for (byte, round) in large[..large.len() - 1].iter().zip(1..) {
        server.receive(&[*byte]);
        server.connection.handle_timeout(seconds(59 * round));
        assert_eq!(server.connection.state(), State::Open);
    }
    let mut server = idling();
    queue(&mut server, 100);
    server.connection.poll_timeout(seconds(0));
    for round in 1..=99 {
        // A Ping of the peer in between changes nothing.
        server.receive(vectors::CLIENT_PING);
        server.connection.transmit().advance(1);
        server.connection.handle_timeout(seconds(59 * round));
        assert_eq!(server.connection.state(), State::Open);
    }
    // The rest are Pongs.
    server.connection.transmit().advance(1);
    server.connection.poll_timeout(seconds(6000));
    server.connection.transmit().advance(7);
    assert_eq!(
        server.connection.poll_timeout(seconds(6050)),
        Some(seconds(6060))
    );
    server.connection.handle_timeout(seconds(6060));
    assert_eq!(server.connection.state(), State::Closing);
}

#[test]
fn looking_again_is_no_use() {
    // spec: S-08
    let mut server = idling();
    server.receive(&vectors::CLIENT_TEXT[..8]);
    server.connection.poll_timeout(seconds(0));
    server.receive(b"");
    server.connection.park();
    server.receive_handed(b"");
    assert!(!server.connection.deadline_moved());
    server.connection.handle_timeout(seconds(60));
    assert_eq!(server.connection.state(), State::Closing);
}

#[test]
fn idleness_noticed_late_proves_nothing() {
    // spec: S-08
    // The application was busy, and the peer's message lies unread in the socket.
    for speaks in [true, false] {
        let mut server = idling();
        server.connection.poll_timeout(seconds(0));
        server.connection.handle_timeout(seconds(100));
        assert_eq!(server.connection.state(), State::Open);
        assert_eq!(
            server.connection.poll_timeout(seconds(100)),
            Some(seconds(101))
        );
        if speaks {
            server.receive(vectors::CLIENT_TEXT);
        }
        server.connection.handle_timeout(seconds(101));
        let state = if speaks { State::Open } else { State::Closing };
        assert_eq!(server.connection.state(), state);
    }
}

#[test]
fn keepalive_does_not_keep_an_idle_connection() {
    // spec: S-08, C-35
    let config = Config::default().with_idle_timeout(Some(seconds(100)));
    let mut pair = Pair::with_configs(Config::default(), config);
    for second in 0..=100 {
        assert_eq!(pair.server.connection.state(), State::Open, "{second}");
        pair.tick(seconds(second));
    }
    let Some(Event::Closed(Some(frame))) = pair.client.events.last() else {
        panic!("{:?}", pair.client.events);
    };
    assert_eq!((frame.code.get(), frame.reason.as_str()), (1001, "idle"));
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.error, None);
        assert!(end.connection.is_finished());
        assert!(end.connection.close_info().expect("closed").clean);
    }
}

#[test]
fn the_earliest_deadline_is_the_next() {
    // spec: S-08, C-35
    let config = Config::default()
        .with_ping_interval(Some(seconds(30)))
        .with_pong_timeout(seconds(15))
        .with_write_timeout(Some(seconds(5)))
        .with_idle_timeout(Some(seconds(50)));
    let mut server = Alone::server_with(config);
    let ask = |server: &mut Alone, now| server.connection.poll_timeout(seconds(now));
    assert_eq!(ask(&mut server, 0), Some(seconds(30)));
    server.connection.handle_timeout(seconds(30));
    assert_eq!(ask(&mut server, 30), Some(seconds(35)), "write the Ping");
    assert_eq!(server.sent().len(), 14);
    assert_eq!(ask(&mut server, 31), Some(seconds(46)), "its Pong");
    answer_a_ping(&mut server);
    server.connection.handle_timeout(seconds(46));
    assert_eq!(ask(&mut server, 46), Some(seconds(50)), "idle");
    queue(&mut server, 10);
    server.sent();
    assert_eq!(ask(&mut server, 47), Some(seconds(60)), "the next Ping");
    server.connection.close_without_code().expect("open");
    assert_eq!(ask(&mut server, 48), Some(seconds(58)), "close");
}

#[test]
fn a_binding_is_told_when_to_ask_again() {
    // spec: S-08, C-35
    let moved = |end: &Alone| end.connection.deadline_moved();
    // Answers what moved, and nothing else.
    let settle = |end: &mut Alone, now| {
        assert!(moved(end), "at {now} s");
        let due = end.connection.poll_timeout(seconds(now));
        assert!(!moved(end), "at {now} s");
        due
    };
    let mut server = Alone::server();
    assert_eq!(settle(&mut server, 0), Some(seconds(30)));
    // Messages alone do not move it.
    server.receive(vectors::CLIENT_TEXT);
    queue(&mut server, 100);
    server.sent();
    assert!(!moved(&server));
    // Bytes are owed; the peer takes some.
    queue(&mut server, 100);
    assert_eq!(settle(&mut server, 1), Some(seconds(30)));
    server.connection.transmit().advance(1);
    assert_eq!(settle(&mut server, 2), Some(seconds(30)));
    server.connection.transmit().advance(99);
    assert!(!moved(&server));
    // A Ping leaves, and its Pong comes.
    server.connection.handle_timeout(seconds(30));
    assert_eq!(settle(&mut server, 30), Some(seconds(60)));
    let ping = server.sent();
    assert_eq!(settle(&mut server, 31), Some(seconds(51)));
    let pong = Frame::pong(&ping[2..]).masked(KEY);
    server.receive(&pong.bytes());
    assert_eq!(settle(&mut server, 32), Some(seconds(51)));
    assert_eq!(server.connection.rtt(), Some(seconds(1)));
    // The closing handshake, and the end.
    server.connection.close_without_code().expect("open");
    assert_eq!(settle(&mut server, 40), Some(seconds(50)));
    server.receive(vectors::CLIENT_CLOSE_EMPTY);
    server.sent();
    assert!(!moved(&server));
    server.receive_eof();
    assert!(server.connection.is_finished());
    assert!(!moved(&server));

    // What is switched off moves nothing.
    let config = Config::default()
        .with_ping_interval(None)
        .with_close_timeout(None);
    let mut server = Alone::server_with(config);
    assert!(!moved(&server));
    server.receive(vectors::CLIENT_TEXT);
    server.connection.close_without_code().expect("open");
    assert!(!moved(&server));
}

/// A binding with a timer, over a transport that takes what the test says.
struct Timed {
    end: Alone,
    /// Whether it asks before every wait, or only when the connection says so.
    always_asks: bool,
    asked: u32,
    timer: Option<Duration>,
}

impl Timed {
    fn new(config: Config, always_asks: bool) -> Self {
        let mut timed = Self {
            end: Alone::server_with(config),
            always_asks,
            asked: 0,
            timer: None,
        };
        timed.wait(seconds(0));
        timed
    }

    fn wait(&mut self, now: Duration) {
        let events = self.end.events();
        if events.iter().any(|event| matches!(event, Event::Pong(_))) {
            self.end.connection.handle_timeout(now);
        }
        if self.always_asks || self.end.connection.deadline_moved() {
            self.asked += 1;
            self.timer = self.end.connection.poll_timeout(now);
        }
    }

    /// Lets time pass, with the timer.
    fn pass(&mut self, until: Duration, taken: usize) {
        while let Some(due) = self.timer.filter(|due| *due <= until) {
            self.end.connection.handle_timeout(due);
            self.end.events();
            self.write(taken);
            self.asked += 1;
            self.timer = self.end.connection.poll_timeout(due);
        }
    }

    fn write(&mut self, most: usize) -> Vec<u8> {
        let transmit = self.end.connection.transmit();
        let len = transmit.remaining().min(most);
        transmit.copy_to_bytes(len).to_vec()
    }
}

#[test]
fn asking_when_told_to_is_as_good_as_asking_always() {
    // spec: S-08, C-35
    let mut asked = [0, 0];
    let mut ended = 0;
    for seed in 0..300 {
        let mut prng = Prng::new(seed);
        let within = |prng: &mut Prng, most| Some(seconds(1 + prng.below(most) as u64));
        let config = Config::default()
            .with_ping_interval(within(&mut prng, 40))
            .with_pong_timeout(seconds(1 + prng.below(40) as u64))
            .with_idle_timeout(within(&mut prng, 200))
            .with_write_timeout(within(&mut prng, 60));
        let mut ends = [true, false].map(|always| Timed::new(config.clone(), always));
        let mut now = seconds(0);
        let mut newest = Vec::new();
        for _ in 0..100 {
            let happening = prng.below(8);
            let taken = [0, 1, 50, 1_000_000][prng.below(4)];
            let wrote = ends.each_mut().map(|timed| {
                match happening {
                    0 => drop(timed.end.connection.send(Message::binary(vec![7; 300]))),
                    1 => timed
                        .end
                        .connection
                        .receive_buffer()
                        .extend_from_slice(vectors::CLIENT_TEXT),
                    2 => timed
                        .end
                        .connection
                        .receive_buffer()
                        .extend_from_slice(vectors::CLIENT_PING),
                    3 | 4 => {
                        let pong = Frame::pong(&newest[..]).masked(KEY).bytes();
                        timed
                            .end
                            .connection
                            .receive_buffer()
                            .extend_from_slice(&pong);
                    }
                    _ => {}
                }
                timed.end.events();
                let wrote = timed.write(taken);
                timed.wait(now);
                wrote
            });
            assert_eq!(wrote[0], wrote[1], "seed {seed}");
            if let Some(at) = wrote[0].windows(2).rposition(|header| header == [0x89, 12])
                && let Some(data) = wrote[0].get(at + 2..at + 14)
            {
                newest = data.to_vec();
            }
            now += Duration::from_millis(prng.below(20_000) as u64);
            for timed in &mut ends {
                timed.pass(now, taken);
            }
            let told = ends.each_ref().map(|timed| {
                let connection = &timed.end.connection;
                (
                    connection.state(),
                    connection.stats(),
                    timed.end.error,
                    connection.close_info(),
                )
            });
            assert_eq!(told[0], told[1], "seed {seed}, at {now:?}");
        }
        ended += u32::from(ends[0].end.connection.state() != State::Open);
        asked = [asked[0] + ends[0].asked, asked[1] + ends[1].asked];
    }
    assert!(ended > 100, "{ended} ends");
    assert!(asked[1] < asked[0], "{asked:?}");
}
