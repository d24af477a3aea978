//! Every wait has an end: of the opening handshake, of the closing handshake, of a silent connection.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};
use ws_async::handshake::client::HandshakeError;
use ws_async::{
    AcceptError, Acceptor, CloseCode, Config, ConnectError, Connector, Error, Event, ProtocolError,
    WebSocket,
};
use ws_testkit::chopped_script::{REQUEST_LINES, RESPONSE};
use ws_testkit::{Frame, vectors};

const URI: &str = "ws://example.com/";

fn server(stream: DuplexStream, config: Config) -> WebSocket<DuplexStream> {
    WebSocket::server(stream, config, BytesMut::new())
}

/// Without keepalive.
fn quiet() -> Config {
    Config::default().with_ping_interval(None)
}

/// spec: H-25, S-08, CD-01
#[tokio::test(start_paused = true)]
async fn a_silent_client_is_left_without_a_word() {
    let (mut client, stream) = duplex(1024);
    let started = Instant::now();
    let error = ws_async::accept(stream).await.expect_err("nothing comes");
    assert!(matches!(error, AcceptError::TimedOut), "{error}");
    assert_eq!(started.elapsed().as_secs(), 10);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("it ended");
    assert_eq!(answer, b"");
}

/// spec: H-25, H-29, S-08
#[tokio::test(start_paused = true)]
async fn a_client_that_stops_in_the_middle_is_told_408() {
    let (mut client, stream) = duplex(1024);
    let started = Instant::now();
    let talk = async {
        client
            .write_all(b"GET / HTTP/1.1\r\nHos")
            .await
            .expect("written");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("it ended");
        assert_eq!(started.elapsed().as_secs(), 10);
        drop(client);
        answer
    };
    let (answer, accepted) = tokio::join!(talk, ws_async::accept(stream));
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        answer.escape_ascii()
    );
    assert!(
        matches!(accepted, Err(AcceptError::TimedOut)),
        "{accepted:?}"
    );
}

/// A byte now and then buys no time.
///
/// spec: H-25, S-08
#[tokio::test(start_paused = true)]
async fn a_client_that_drips_is_told_408_at_the_deadline() {
    let (client, stream) = duplex(1024);
    let started = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(client);
    let drip = async {
        writer
            .write_all(b"GET / HTTP/1.1\r\nX: ")
            .await
            .expect("written");
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(300)).await;
        }
    };
    let read = async {
        let mut answer = Vec::new();
        reader.read_to_end(&mut answer).await.expect("it ended");
        assert_eq!(started.elapsed().as_secs(), 10);
        answer
    };
    let (answer, accepted, ()) = tokio::join!(read, ws_async::accept(stream), drip);
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        answer.escape_ascii()
    );
    assert!(
        matches!(accepted, Err(AcceptError::TimedOut)),
        "{accepted:?}"
    );
    assert!(
        started.elapsed().as_secs() < 12,
        "it is not read from for ever"
    );
}

/// spec: H-25, S-08
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_the_answer_is_given_up() {
    let (mut client, stream) = duplex(200);
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    client.write_all(request.as_bytes()).await.expect("written");
    let acceptor = Acceptor::new().with_header("X-Long", "x".repeat(300));
    let started = Instant::now();
    let error = acceptor.accept(stream).await.expect_err("nobody reads");
    assert!(matches!(error, AcceptError::TimedOut), "{error}");
    assert_eq!(started.elapsed().as_secs(), 10);
}

/// However long the application thinks about a request, an answer that takes no wait goes out.
///
/// spec: H-25
#[tokio::test(start_paused = true)]
async fn an_application_may_take_its_time() {
    let (mut client, stream) = duplex(1024);
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    client.write_all(request.as_bytes()).await.expect("written");
    let acceptor = Acceptor::new();
    let incoming = acceptor.read_request(stream).await.expect("it is whole");
    sleep(Duration::from_secs(3600)).await;
    let ws = incoming.accept(&acceptor).await.expect("accepted");
    let mut response = vec![0; RESPONSE.len()];
    client.read_exact(&mut response).await.expect("read");
    assert_eq!(response, RESPONSE.as_bytes());
    drop(ws);
}

/// spec: H-25
#[tokio::test(start_paused = true)]
async fn without_a_deadline_a_client_has_all_the_time() {
    let (client, stream) = duplex(1024);
    let config = Config::default().with_handshake_timeout(None);
    let acceptor = Acceptor::new().with_config(config);
    let day = Duration::from_secs(24 * 3600);
    timeout(day, acceptor.accept(stream))
        .await
        .expect_err("it still waits");
    drop(client);
}

/// spec: CD-01, S-08
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    for said in ["", "HTTP/1.1 101 Switching Protoc"] {
        let (mut server, stream) = duplex(1024);
        server.write_all(said.as_bytes()).await.expect("written");
        let started = Instant::now();
        let error = Connector::new()
            .handshake(stream, URI)
            .await
            .expect_err("no answer");
        assert!(matches!(error, ConnectError::TimedOut), "{error}");
        assert_eq!(started.elapsed().as_secs(), 10);
    }
}

/// spec: CD-01, S-08
#[tokio::test(start_paused = true)]
async fn a_server_that_drips_is_given_up() {
    let (mut server, stream) = duplex(1024);
    let drip = async {
        server.write_all(b"HTTP/1.1 101 ").await.expect("written");
        while server.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(300)).await;
        }
    };
    let started = Instant::now();
    let connector = Connector::new();
    let connect = async {
        let connected = connector.handshake(stream, URI).await;
        assert_eq!(started.elapsed().as_secs(), 10);
        connected
    };
    let (connected, ()) = tokio::join!(connect, drip);
    assert!(
        matches!(connected, Err(ConnectError::TimedOut)),
        "{connected:?}"
    );
}

/// spec: CD-01
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_the_request_is_given_up() {
    let (server, stream) = duplex(16);
    let error = Connector::new()
        .handshake(stream, URI)
        .await
        .expect_err("no answer");
    assert!(matches!(error, ConnectError::TimedOut), "{error}");
    drop(server);
}

/// The status is what counts; half of a body is better than no answer.
///
/// spec: K-15, CD-01
#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_never_ends_is_a_refusal() {
    let (mut server, stream) = duplex(1024);
    let refusal = "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf a bo";
    server.write_all(refusal.as_bytes()).await.expect("written");
    let error = Connector::new()
        .handshake(stream, URI)
        .await
        .expect_err("refused");
    let ConnectError::Handshake(HandshakeError::Refused(refusal)) = error else {
        panic!("{error}");
    };
    assert_eq!(refusal.response().status(), 503);
    assert_eq!(refusal.body(), "half a bo");
}

/// The closing handshake was carried out; that the peer does not end the transport does not spoil it.
///
/// spec: C-14, C-28
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_ends_the_transport_is_given_up() {
    for is_server in [true, false] {
        let (mut peer, stream) = duplex(1024);
        let mut answer = Frame::close(1000, "");
        if is_server {
            answer = answer.masked(vectors::KEY);
        }
        peer.write_all(&answer.bytes()).await.expect("written");
        let mut ws = if is_server {
            server(stream, quiet())
        } else {
            WebSocket::client(stream, quiet(), BytesMut::new())
        };
        let started = Instant::now();
        let info = ws.close(CloseCode::NORMAL, "").await.expect("both closed");
        assert!(info.clean);
        assert_eq!(started.elapsed().as_secs(), 10);
        drop(peer);
    }
}

/// The error is the one that failed the connection, not the wait after it.
///
/// spec: C-24, C-28
#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_after_breaking_the_protocol_is_given_up() {
    let (mut client, stream) = duplex(1024);
    client
        .write_all(vectors::CLIENT_TEXT_NOT_UTF8)
        .await
        .expect("written");
    let mut ws = server(stream, quiet());
    let started = Instant::now();
    let error = ws.recv().await.expect_err("it is no text");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::InvalidUtf8)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(client);
}

/// spec: C-28
#[tokio::test(start_paused = true)]
async fn pings_do_not_extend_the_closing_handshake() {
    let (client, stream) = duplex(1024);
    let mut ws = server(
        stream,
        Config::default().with_ping_interval(Some(Duration::from_secs(3))),
    );
    let (mut reader, mut writer) = tokio::io::split(client);
    let started = Instant::now();
    let talk = async {
        while writer.write_all(vectors::CLIENT_PING).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let close = async {
        let error = ws
            .close(CloseCode::NORMAL, "")
            .await
            .expect_err("no Close comes");
        assert!(
            matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
            "{error}"
        );
        assert_eq!(started.elapsed().as_secs(), 10);
        drop(ws);
    };
    tokio::join!(talk, close);
    let mut written = Vec::new();
    reader.read_to_end(&mut written).await.expect("it ended");
    // We have said our last word, so we ask for none.
    assert!(!ws_testkit::chopped_script::opcodes(&written).contains(&9));
}

/// The deadline runs on while nobody asks.
///
/// spec: C-28, CD-05
#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_keeps_its_deadline() {
    let (client, stream) = duplex(1024);
    let mut ws = server(stream, quiet());
    let started = Instant::now();
    let second = Duration::from_secs(1);
    timeout(second, ws.close(CloseCode::NORMAL, ""))
        .await
        .expect_err("it waits");
    sleep(second).await;
    let error = ws.recv().await.expect_err("no Close comes");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(client);
}

/// The Close is begun by whoever polls, after the receive has begun to wait.
///
/// spec: C-28
#[tokio::test(start_paused = true)]
async fn a_close_that_is_begun_while_a_receive_is_polled_has_its_deadline() {
    let (client, stream) = duplex(1024);
    let mut ws = server(stream, quiet());
    let started = Instant::now();
    let mut begun = false;
    let received = poll_fn(|cx| {
        let polled = ws.poll_recv(cx);
        if polled.is_pending() && !mem::replace(&mut begun, true) {
            ws.begin_close(CloseCode::NORMAL, "").expect("begun");
        }
        polled
    });
    let received = timeout(Duration::from_secs(120), received).await;
    let error = received.expect("it is woken").expect_err("no Close comes");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(client);
}

/// Of a stream of bytes in two tasks: the one that reads has begun to wait before the other one ends the stream, or
/// leaves it more to write than the peer takes.
///
/// spec: C-28, CD-01
#[tokio::test(start_paused = true)]
async fn who_reads_a_stream_of_bytes_keeps_the_deadlines_of_what_another_task_writes() {
    // Nothing wakes the reader but what the writer does.
    let unhurried = quiet().with_write_timeout(None);
    for (config, is_shut_down, patience) in [(unhurried, true, 10), (quiet(), false, 30)] {
        let (client, stream) = duplex(64);
        let (mut read, mut write) = tokio::io::split(server(stream, config).into_byte_stream());
        let reading = tokio::spawn(async move { read.read_u8().await });
        tokio::task::yield_now().await;
        let started = Instant::now();
        if is_shut_down {
            write.shutdown().await.expect("written");
        } else {
            assert_eq!(write.write(&[7; 1000]).await.expect("queued"), 1000);
        }
        let read = timeout(Duration::from_secs(120), reading).await;
        let error = read
            .expect("it is woken")
            .expect("no panic")
            .expect_err("nothing comes");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(started.elapsed().as_secs(), patience);
        drop((client, write));
    }
}

/// The next message is always there before an application that takes its time with each asks for it.
///
/// spec: C-28, S-08
#[tokio::test(start_paused = true)]
async fn messages_do_not_extend_the_closing_handshake() {
    let second = Duration::from_secs(1);
    let (mut client, stream) = duplex(vectors::CLIENT_TEXT.len());
    let mut ws = server(stream, quiet());
    let talking =
        tokio::spawn(async move { while client.write_all(vectors::CLIENT_TEXT).await.is_ok() {} });
    ws.begin_close(CloseCode::NORMAL, "").expect("begun");
    let started = Instant::now();
    let error = loop {
        match ws.recv().await {
            Ok(received) => assert!(received.is_some(), "no Close came"),
            Err(error) => break error,
        }
        assert!(started.elapsed() < 20 * second, "it goes on for ever");
        sleep(second).await;
    };
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert!((10..=11).contains(&started.elapsed().as_secs()));
    drop(ws);
    talking.await.expect("no panic");
}

/// spec: C-35, CD-02
#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_lives_as_long_as_it_likes() {
    let (client, stream) = duplex(1024);
    let mut ws = server(stream, Config::default());
    let mut client = WebSocket::client(client, quiet(), BytesMut::new());
    let hour = Duration::from_secs(3600);
    let (served, answered) = tokio::join!(timeout(hour, ws.recv()), async {
        let mut pings = 0;
        let count = async {
            while let Ok(Some(event)) = client.recv_event().await {
                assert!(matches!(event, Event::Ping(_)), "{event:?}");
                pings += 1;
            }
        };
        timeout(hour, count).await.expect_err("it is never over");
        pings
    });
    served.expect_err("it is never over");
    assert_eq!(answered, 119, "one Ping every 30 s");
}

/// Asking for input is no sign of life, not even in the middle of a large frame.
///
/// spec: C-35
#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_inside_a_frame_is_given_up() {
    for arrived in [3, 20_000] {
        let (mut client, stream) = duplex(65_536);
        let frame = Frame::binary(vec![0; 100_000]).masked(vectors::KEY).bytes();
        client.write_all(&frame[..arrived]).await.expect("written");
        let mut ws = server(stream, Config::default());
        let started = Instant::now();
        let error = ws.recv().await.expect_err("no more comes");
        assert!(
            matches!(error, Error::Protocol(ProtocolError::PongTimeout)),
            "{error}"
        );
        assert_eq!(started.elapsed().as_secs(), 50);
        assert!(!ws.close_info().expect("it is over").clean);
    }
}

/// spec: C-35
#[tokio::test(start_paused = true)]
async fn a_client_gives_a_silent_server_up_too() {
    let (peer, stream) = duplex(1024);
    let mut ws = WebSocket::client(stream, Config::default(), BytesMut::new());
    let started = Instant::now();
    let error = ws.recv().await.expect_err("the server is silent");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::PongTimeout)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 50);
    drop(peer);
}

/// A peer that does not read cannot see our Pings, and is given up for taking nothing.
///
/// spec: C-35, S-08, S-09
#[tokio::test(start_paused = true)]
async fn a_peer_that_neither_reads_nor_speaks_is_given_up() {
    let (peer, stream) = duplex(16);
    let mut ws = server(stream, Config::default().with_write_buffer_high(8));
    ws.feed(vec![0; 1000]).await.expect("queued");
    let started = Instant::now();
    let error = ws.recv().await.expect_err("the peer is silent");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::WriteTimeout)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 30);
    drop(peer);
}

/// spec: C-35
#[tokio::test(start_paused = true)]
async fn without_keepalive_a_silent_peer_is_waited_for() {
    let (peer, stream) = duplex(1024);
    let mut ws = server(stream, quiet());
    let day = Duration::from_secs(24 * 3600);
    timeout(day, ws.recv()).await.expect_err("it still waits");
    drop(peer);
}

/// An application that was busy with something else, or a machine that was asleep, looks at what has arrived before it
/// gives a peer up.
///
/// spec: C-28, C-35
#[tokio::test(start_paused = true)]
async fn what_has_arrived_by_the_deadline_counts() {
    let (mut client, stream) = duplex(1024);
    let mut ws = server(stream, Config::default());
    let busy = Duration::from_secs(300);
    let second = Duration::from_secs(1);
    timeout(31 * second, ws.recv())
        .await
        .expect_err("a Ping is sent");
    client
        .write_all(&Frame::pong("").masked(vectors::KEY).bytes())
        .await
        .expect("written");
    sleep(busy).await;
    timeout(second, ws.recv())
        .await
        .expect_err("the peer lives");

    timeout(second, ws.close(CloseCode::NORMAL, ""))
        .await
        .expect_err("it waits");
    client
        .write_all(vectors::CLIENT_CLOSE_1000)
        .await
        .expect("written");
    client.shutdown().await.expect("shut down");
    sleep(busy).await;
    let info = ws
        .close(CloseCode::NORMAL, "")
        .await
        .expect("it was answered");
    assert!(info.clean);
}

/// A peer that takes nothing is given up, by whichever half waits, and both are told.
///
/// spec: CD-01
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let config = || quiet().with_write_timeout(Some(Duration::from_secs(7)));
    let write_timeout =
        |error: &Error| matches!(error, Error::Protocol(ProtocolError::WriteTimeout));

    let (_peer, stream) = duplex(64);
    let mut ws = server(stream, config());
    let started = Instant::now();
    let error = ws.send(vec![0; 1000]).await.expect_err("nobody takes it");
    assert!(write_timeout(&error), "{error}");
    assert_eq!(started.elapsed().as_secs(), 7);
    let error = ws.recv().await.expect_err("the same");
    assert!(write_timeout(&error), "{error}");
    assert!(matches!(ws.recv().await, Ok(None)));

    let (_peer, stream) = duplex(64);
    let (sender, mut receiver) = server(stream, config()).split();
    let started = Instant::now();
    let (sent, received) = tokio::join!(sender.send(vec![0; 1000]), receiver.recv());
    let error = sent.expect_err("nobody takes it");
    assert!(write_timeout(&error), "{error}");
    let error = received.expect_err("the same");
    assert!(write_timeout(&error), "{error}");
    assert_eq!(started.elapsed().as_secs(), 7);

    // Nobody waits for room: the receiver finds the stall.
    let (_peer, stream) = duplex(64);
    let (sender, mut receiver) = server(stream, config()).split();
    let started = Instant::now();
    sender.try_send(vec![0; 1000]).expect("queued");
    let error = receiver.recv().await.expect_err("nobody takes it");
    assert!(write_timeout(&error), "{error}");
    assert_eq!(started.elapsed().as_secs(), 7);
}

/// Nor does it matter how much it sends meanwhile, to an application that takes its time with each message.
///
/// spec: CD-01, S-08
#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_and_takes_nothing_is_given_up() {
    for pause in [50, 1000].map(Duration::from_millis) {
        let (client, stream) = duplex(vectors::CLIENT_TEXT.len());
        let (_unread, mut writer) = tokio::io::split(client);
        let talking =
            tokio::spawn(
                async move { while writer.write_all(vectors::CLIENT_TEXT).await.is_ok() {} },
            );
        let (sender, mut receiver) = server(stream, quiet()).split();
        sender.try_send("more than is taken").expect("queued");
        let started = Instant::now();
        let error = loop {
            match receiver.recv().await {
                Ok(received) => assert!(received.is_some(), "no Close came"),
                Err(error) => break error,
            }
            assert!(started.elapsed().as_secs() < 60, "it goes on for ever");
            sleep(pause).await;
        };
        assert!(
            matches!(error, Error::Protocol(ProtocolError::WriteTimeout)),
            "{error}"
        );
        // It pauses before the first write, and may do so once more when the time is up.
        let elapsed = started.elapsed();
        let earliest = Duration::from_secs(30);
        assert!(
            (earliest..=earliest + 2 * pause).contains(&elapsed),
            "{pause:?}: {elapsed:?}"
        );
        drop((sender, receiver));
        talking.await.expect("no panic");
    }
}

/// A download that takes longer than any deadline, by a peer that reads a little every second.
///
/// spec: CD-01
#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_no_dead_one() {
    let (mut peer, stream) = duplex(64);
    let mut ws = server(stream, Config::default());
    let reading = tokio::spawn(async move {
        let mut taken = 0;
        let mut buffer = [0; 64];
        while taken < 20_004 {
            sleep(Duration::from_secs(1)).await;
            taken += peer.read(&mut buffer).await.expect("it is there");
        }
        peer
    });
    ws.send(vec![0; 20_000]).await.expect("taken in the end");
    reading.await.expect("no panic");
}

/// spec: CD-01
#[tokio::test(start_paused = true)]
async fn an_idle_connection_can_be_closed() {
    let (client, stream) = duplex(1000);
    let config = Config::default().with_idle_timeout(Some(Duration::from_secs(60)));
    let mut ws = server(stream, config);
    let client = tokio::spawn(async move {
        let mut client = WebSocket::client(client, Config::default(), BytesMut::new());
        sleep(Duration::from_secs(40)).await;
        client.send("data").await.expect("sent");
        let ended = client.recv().await;
        (ended, client.close_info())
    });
    let started = Instant::now();
    assert!(matches!(ws.recv().await, Ok(Some(_))));
    // Pings went to and fro, but they are not data.
    assert!(matches!(ws.recv().await, Ok(None)));
    assert_eq!(started.elapsed().as_secs(), 100);
    let (ended, info) = client.await.expect("no panic");
    assert!(matches!(ended, Ok(None)));
    let info = info.expect("it is over");
    assert_eq!(
        (info.code(), info.reason()),
        (CloseCode::GOING_AWAY, "idle")
    );
}

/// spec: CD-01
#[tokio::test(start_paused = true)]
async fn the_round_trip_is_measured() {
    let (mut peer, stream) = duplex(1000);
    let mut ws = server(stream, Config::default());
    let answering = tokio::spawn(async move {
        let mut ping = [0; 14];
        peer.read_exact(&mut ping).await.expect("a Ping");
        sleep(Duration::from_millis(120)).await;
        let pong = Frame::pong(&ping[2..]).masked(vectors::KEY).bytes();
        // A message is in the same read, which the application sees first of all.
        peer.write_all(&[&pong, vectors::CLIENT_TEXT].concat())
            .await
            .expect("written");
        peer
    });
    assert_eq!(ws.stats().rtt, None);
    assert!(matches!(ws.recv().await, Ok(Some(_))));
    assert_eq!(ws.stats().rtt, Some(Duration::from_millis(120)));
    answering.await.expect("no panic");
}
