//! Which request leads where, and what a handler gets.

use ws_sync::handshake::server::{HttpResponse, Rejection};
use ws_sync::{
    Acceptor, CloseCode, Config, Connector, Initiator, Message, OriginPolicy, Preference, Server,
};

use crate::running::{Running, closed, echo};

// spec: P-46, P-56
#[test]
fn pages_and_sockets_share_a_port() {
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            .route("/both", echo)
            .http(|request| match request.path() {
                "/" | "/both" => Some(HttpResponse::html("<p>hello")),
                "/panic" => panic!("a bug of the application"),
                _ => None,
            }),
    );
    let mut ws = server.open("/echo?a=b");
    ws.send("hello").expect("sent");
    assert_eq!(ws.recv().expect("received"), Some("hello".into()));
    server.open("/both");
    for path in ["/", "/other", "/echo/"] {
        assert_eq!(server.try_open(path).err(), Some(404), "{path}");
    }
    for (line, status) in [
        ("GET /", 200),
        ("GET /both", 200),
        ("GET /echo", 426),
        ("POST /echo", 405),
        ("GET /other", 404),
        ("HEAD /other", 404),
        ("GET /panic", 500),
        ("GET a b", 400),
    ] {
        let response = server.request(line);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {response}"
        );
    }
    let page = server.request("GET /");
    assert!(page.ends_with("\r\n\r\n<p>hello"), "{page}");
    let head = server.request("HEAD /");
    assert_eq!(page.strip_suffix("<p>hello"), Some(&*head));
    assert_eq!(server.handle.stats().handler_panics, 1);
    drop(ws);
    server.end();
}

#[test]
fn a_fallback_takes_what_nobody_else_does() {
    let server = Running::start(Server::builder().route("/quiet", |_| Ok(())).fallback(echo));
    let mut ws = server.open("/any/where");
    ws.send("hello").expect("sent");
    assert_eq!(ws.recv().expect("received"), Some("hello".into()));
    assert!(closed(server.open("/quiet")).clean);
    drop(ws);
    server.end();
}

// spec: H-15, P-52
#[test]
fn a_path_may_have_an_acceptor_of_its_own() {
    let only_friends = Acceptor::new()
        .with_origin_policy(OriginPolicy::allow_list(["https://friend.example"]).expect("origins"))
        .with_subprotocols(["echo", "chat"])
        .with_preference(Preference::Client)
        .with_config(Config::default().with_max_message_size(4));
    let server = Running::start(
        Server::builder()
            .with_acceptor(Acceptor::new().with_subprotocols(["echo"]))
            .route("/echo", echo)
            .route_with("/friends", only_friends, echo),
    );
    let connector = |origin: &str| {
        Connector::new()
            .with_origin(origin)
            .with_subprotocols(["chat", "echo"])
    };
    let here = connector(&format!("http://{}", server.address));
    let friend = connector("https://friend.example");
    for (path, connector, outcome) in [
        ("/echo", &here, Ok(Some("echo"))),
        ("/echo", &friend, Err(403)),
        ("/friends", &here, Err(403)),
        ("/friends", &friend, Ok(Some("chat"))),
    ] {
        let opened = server.try_open_with(path, connector);
        let subprotocol = opened.as_ref().map(|ws| ws.subprotocol()).map_err(|s| *s);
        assert_eq!(subprotocol, outcome, "{path}");
    }
    let mut ws = server.try_open_with("/friends", &friend).expect("a friend");
    ws.send("12345").expect("sent");
    assert_eq!(closed(ws).code(), CloseCode::MESSAGE_TOO_BIG);
    server.end();
}

// spec: S-13
#[test]
fn who_may_connect_is_decided_before_the_101() {
    let server = Running::start(Server::builder().route("/echo", echo).authorize(|request| {
        match request.header("Authorization") {
            Some(b"Bearer right") => Ok(()),
            Some(_) => Err(Rejection::forbidden()),
            None => Err(Rejection::unauthorized("Bearer").unwrap_or_else(Into::into)),
        }
    }));
    let with = |token| Connector::new().with_header("Authorization", token);
    for (connector, status) in [
        (Connector::new(), Some(401)),
        (with("Bearer wrong"), Some(403)),
        (with("Bearer right"), None),
    ] {
        let opened = server.try_open_with("/echo", &connector);
        assert_eq!(opened.err(), status);
    }
    // It is about handshakes: what leads nowhere, and what is none, is told so.
    assert_eq!(server.try_open("/other").err(), Some(404));
    assert!(server.request("GET /echo").starts_with("HTTP/1.1 426 "));
    server.end();
}

#[test]
fn a_handler_learns_who_asked_for_what() {
    let server = Running::start(Server::builder().route("/who", |mut session| {
        let told = format!(
            "{} {} {:?} {:?}",
            session.id(),
            session.request().target(),
            session.subprotocol(),
            session.peer_addr().map(|address| address.ip()),
        );
        session.send(told)?;
        // Both halves work apart, and what comes of it is the same connection.
        let Some(message) = session.recv()? else {
            return Ok(());
        };
        let (sender, mut receiver) = session.split();
        sender.send(message)?;
        while receiver.recv()?.is_some() {}
        Ok(())
    }));
    let mut ws = server.open("/who?me");
    assert_eq!(
        ws.recv().expect("received"),
        Some("1 /who?me None Some(127.0.0.1)".into())
    );
    ws.send("more").expect("sent");
    assert_eq!(ws.recv().expect("received"), Some("more".into()));
    assert!(ws.close(CloseCode::NORMAL, "").expect("closed").clean);
    server.end();
}

#[test]
fn a_handler_sends_from_where_a_message_lies() {
    let server = Running::start(Server::builder().route("/kept", |session| {
        let kept = (String::from("kept"), vec![0, 0xff]);
        session.send_ref(&kept.0)?;
        session.send_ref(&kept.1)?;
        session.send(kept.0)?;
        Ok(())
    }));
    let mut ws = server.open("/kept");
    for message in [
        Message::text("kept"),
        Message::binary(vec![0, 0xff]),
        Message::text("kept"),
    ] {
        assert_eq!(ws.recv().expect("received"), Some(message));
    }
    assert_eq!(closed(ws).code(), CloseCode::NORMAL);
    server.end();
}

/// The server ends what a handler has left open, and says why it ended.
///
/// spec: CC-41
#[test]
fn the_end_of_a_handler_is_the_end_of_its_connection() {
    let server = Running::start(
        Server::builder()
            .route("/ok", |_| Ok(()))
            .route("/error", |_| Err("a mistake".into()))
            .route("/panic", |_| panic!("a bug of the application"))
            .route("/close", |mut session| {
                let info = session.close(CloseCode::new(4000), "enough")?;
                assert!(info.clean);
                Ok(())
            })
            .route("/echo", echo),
    );
    let mut other = server.open("/echo");
    for (path, code) in [
        ("/ok", 1000),
        ("/error", 1011),
        ("/panic", 1011),
        ("/close", 4000),
    ] {
        let mut ws = server.open(path);
        // What nobody receives any more must not hold up the end.
        _ = ws.send("unheard");
        let info = closed(ws);
        assert_eq!(info.code().get(), code, "{path}");
        assert_eq!(info.reason().is_empty(), code != 4000);
        assert!(info.clean);
        assert_eq!(info.initiator, Initiator::Remote);
    }
    other.send("undisturbed").expect("sent");
    assert_eq!(
        other.recv().expect("received"),
        Some(Message::text("undisturbed"))
    );
    let stats = server.handle.stats();
    assert_eq!((stats.handler_panics, stats.handler_errors), (1, 1));
    drop(other);
    server.end();
}

#[test]
#[should_panic(expected = "there is something at this path already")]
fn two_handlers_cannot_have_the_same_path() {
    drop(Server::builder().route("/a", echo).route("/a", echo));
}
