//! The checks of RFC 6455 section 4.2.1, one case per rule and breach.

mod wire;

use wire::{encoded, field, handshake, handshake_with, read, rejection, status};
use ws_handshake::Preference;

fn assert_refused(request: &[u8], expected: u16, fields: &[(&str, &str)]) {
    let rejection = rejection(request);
    let shown = request.escape_ascii();
    assert_eq!(rejection.status(), Some(expected), "{shown}");
    let answer = encoded(&rejection);
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {expected} ")),
        "{shown}"
    );
    for (name, value) in fields {
        assert_eq!(field(&answer, name), Some(*value), "{name} for {shown}");
    }
}

/// spec: H-01, P-38, P-39, P-13
#[test]
fn methods() {
    for method in [
        "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "Get",
    ] {
        let request = handshake_with(&format!("{method} / HTTP/1.1"), &[]);
        assert_refused(&request, 405, &[("Allow", "GET"), ("Connection", "close")]);
    }
    assert_refused(
        &handshake_with("BREW / HTTP/1.1", &[]),
        501,
        &[("Connection", "close")],
    );
    // A response to HEAD has no content, but tells how long it would be.
    let answer = encoded(&rejection(&handshake_with("HEAD / HTTP/1.1", &[])));
    assert!(answer.ends_with("\r\n\r\n"));
    assert_ne!(field(&answer, "Content-Length"), Some("0"));
}

/// spec: H-05, P-09, P-46, P-81, P-87
#[test]
fn upgrade() {
    for value in [
        "websocket",
        "WebSocket",
        "WEBSOCKET",
        "h2c, websocket",
        "websocket,h2c",
        ",websocket,",
        "a/1 , websocket",
    ] {
        assert_eq!(
            status(&handshake(&[("Upgrade", Some(value))])),
            Some(101),
            "{value}"
        );
    }
    assert_eq!(
        status(&handshake(&[
            ("Upgrade", Some("h2c")),
            ("upgrade", Some("websocket"))
        ])),
        Some(101)
    );
    let required = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade, close"),
        ("Sec-WebSocket-Version", "13"),
    ];
    for value in [
        None,
        Some(""),
        Some("h2c"),
        Some("websocket2"),
        Some("websocket/13"),
        Some("xwebsocket"),
    ] {
        assert_refused(&handshake(&[("Upgrade", value)]), 426, &required);
    }
    for value in [
        "web socket",
        "websocket;q=1",
        "\"websocket\"",
        "websocket/",
        "/websocket",
        "a/b/c",
    ] {
        assert_refused(
            &handshake(&[("Upgrade", Some(value))]),
            400,
            &[("Connection", "close")],
        );
    }
}

/// spec: H-06, P-47, P-80
#[test]
fn connection() {
    for value in [
        "Upgrade",
        "upgrade",
        "UPGRADE",
        "keep-alive, Upgrade",
        "Upgrade,keep-alive",
        ", ,upgrade",
    ] {
        assert_eq!(
            status(&handshake(&[("Connection", Some(value))])),
            Some(101),
            "{value}"
        );
    }
    let lines = [
        ("Connection", Some("keep-alive")),
        ("connection", Some("upgrade")),
    ];
    assert_eq!(status(&handshake(&lines)), Some(101));
    for value in [
        None,
        Some(""),
        Some("keep-alive"),
        Some("upgrade-insecure"),
        Some("close"),
        Some("up grade"),
    ] {
        assert_refused(
            &handshake(&[("Connection", value)]),
            400,
            &[("Connection", "close")],
        );
    }
    // P-47: the usual reason is named.
    assert!(
        rejection(&handshake(&[("Connection", Some("keep-alive"))]))
            .reason()
            .contains("proxy")
    );
}

/// spec: H-07, H-08, P-48, VEC-14
#[test]
fn keys() {
    let good = [
        "dGhlIHNhbXBsZSBub25jZQ==",
        "AQIDBAUGBwgJCgsMDQ4PEA==",
        "AQIDBAUGBwgJCgsMDQ4PEC==",
        "+++++++++++///////////==",
    ];
    for key in good {
        assert_eq!(
            status(&handshake(&[("Sec-WebSocket-Key", Some(key))])),
            Some(101),
            "{key}"
        );
    }
    let bad = [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQA=",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25-ZQ==",
        "dGhlIHNhbXBsZSBub25_ZQ==",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j=Q==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ\u{e9}==",
    ];
    for key in bad {
        assert_refused(&handshake(&[("Sec-WebSocket-Key", Some(key))]), 400, &[]);
    }
    assert_refused(&handshake(&[("Sec-WebSocket-Key", None)]), 400, &[]);
    let key = Some("dGhlIHNhbXBsZSBub25jZQ==");
    assert_refused(
        &handshake(&[("Sec-WebSocket-Key", key), ("sec-websocket-key", key)]),
        400,
        &[],
    );
}

/// spec: H-09, H-10, P-49, P-50, X-10
#[test]
fn versions() {
    let required = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade, close"),
        ("Sec-WebSocket-Version", "13"),
    ];
    for version in ["0", "7", "8", "9", "12", "14", "25", "99", "100", "255"] {
        assert_refused(
            &handshake(&[("Sec-WebSocket-Version", Some(version))]),
            426,
            &required,
        );
    }
    for version in [
        "013", "13, 8", "8, 13", "abc", "", "-13", "+13", "1 3", "256", "999", "1300", "13.0",
    ] {
        let request = handshake(&[("Sec-WebSocket-Version", Some(version))]);
        assert_refused(
            &request,
            400,
            &[("Sec-WebSocket-Version", "13"), ("Connection", "close")],
        );
    }
    assert_refused(
        &handshake(&[("Sec-WebSocket-Version", None)]),
        400,
        &[("Sec-WebSocket-Version", "13")],
    );
    let twice = handshake(&[
        ("Sec-WebSocket-Version", Some("13")),
        ("sec-websocket-version", Some("13")),
    ]);
    assert_refused(&twice, 400, &[("Sec-WebSocket-Version", "13")]);
}

/// spec: H-14, H-19, P-51, P-07, P-08
#[test]
fn subprotocols() {
    let offered = |lines: &[&str]| {
        let fields = lines
            .iter()
            .map(|line| ("Sec-WebSocket-Protocol", Some(*line)))
            .collect::<Vec<_>>();
        let offer = read(&handshake(&fields)).expect("well-formed").offer()?;
        Ok::<_, ws_handshake::server::Rejection>(
            offer.subprotocols().map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    assert_eq!(offered(&[]), Ok(vec![]));
    assert_eq!(
        offered(&["chat, superchat"]).expect("two"),
        ["chat", "superchat"]
    );
    assert_eq!(
        offered(&["a", "b,\tc "]).expect("two lines"),
        ["a", "b", "c"]
    );
    assert_eq!(offered(&["a,,b"]).expect("an empty item"), ["a", "b"]);
    assert_eq!(offered(&[",", "a"]).expect("an empty line"), ["a"]);
    assert_eq!(offered(&["v1.json+x"]).expect("a token"), ["v1.json+x"]);
    for line in [
        "",
        ",",
        " , ,",
        "a b",
        "a;b",
        "\"a\"",
        "a/b",
        "a=b",
        "caf\u{e9}",
        "a, b c",
    ] {
        assert_eq!(
            offered(&[line]).map_err(|rejection| rejection.status()),
            Err(Some(400)),
            "{line:?}"
        );
    }
}

/// spec: X-08, H-14: the choice, by whose order.
#[test]
fn subprotocol_selection() {
    let request = handshake(&[("Sec-WebSocket-Protocol", Some("one, two, three"))]);
    let offer = read(&request).expect("well-formed").offer().expect("valid");
    let select =
        |supported: &[&'static str], preference| offer.select_subprotocol(supported, preference);
    assert_eq!(select(&["three", "two"], Preference::Client), Some("two"));
    assert_eq!(select(&["three", "two"], Preference::Server), Some("three"));
    assert_eq!(select(&["Two", "tw", "four"], Preference::Client), None);
    assert_eq!(select(&["Two", "tw", "four"], Preference::Server), None);
    assert_eq!(select(&[], Preference::Server), None);
}

/// spec: H-20, X-01, X-03, X-04, X-05, X-09, P-51
#[test]
fn extensions() {
    let offered = |lines: &[&str]| {
        let fields = lines
            .iter()
            .map(|line| ("Sec-WebSocket-Extensions", Some(*line)))
            .collect::<Vec<_>>();
        let offer = read(&handshake(&fields)).expect("well-formed").offer()?;
        Ok::<_, ws_handshake::server::Rejection>(
            offer
                .extensions()
                .map(|one| one.to_string())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(offered(&[]), Ok(vec![]));
    assert_eq!(
        offered(&["foo, permessage-deflate; client_max_window_bits", "bar;x=1"]).expect("three"),
        [
            "foo",
            "permessage-deflate; client_max_window_bits",
            "bar; x=1"
        ]
    );
    for line in [
        "permessage-deflate;;",
        "a; b=\"unterminated",
        "",
        ",",
        "a b",
        "a; b=",
        ";",
    ] {
        assert_eq!(
            offered(&[line]).map_err(|rejection| rejection.status()),
            Err(Some(400)),
            "{line:?}"
        );
    }
    let many = "a,".repeat(33);
    assert_eq!(
        offered(&[&many]).map_err(|rejection| rejection.status()),
        Err(Some(400))
    );
}

/// spec: H-23, P-15, P-55
#[test]
fn expectations() {
    let answer = |value: &str| {
        let offer = read(&handshake(&[("Expect", Some(value))]))
            .expect("well-formed")
            .offer()?;
        let mut out = Vec::new();
        offer.accept().encode(&mut out);
        Ok::<_, ws_handshake::server::Rejection>(String::from_utf8(out).expect("text"))
    };
    for value in ["100-continue", "100-Continue"] {
        let answer = answer(value).expect("known");
        assert!(
            answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 "),
            "{answer}"
        );
    }
    for value in ["200-ok", "", "100-continue, x"] {
        assert_eq!(
            answer(value).map_err(|rejection| rejection.status()),
            Err(Some(417)),
            "{value:?}"
        );
    }
}

/// spec: H-15, P-52: which of the origins is judged elsewhere; two are too many.
#[test]
fn origin_lines() {
    let request =
        read(&handshake(&[("Origin", Some("https://example.com"))])).expect("well-formed");
    assert_eq!(request.origin(), Some(b"https://example.com".as_slice()));
    let offer = request.offer().expect("valid");
    assert_eq!(offer.origin(), Some(b"https://example.com".as_slice()));
    assert_eq!(
        status(&handshake(&[("Origin", Some("a")), ("origin", Some("a"))])),
        Some(400)
    );
}

/// spec: H-19: with several breaches, what kind of request it is comes first.
#[test]
fn order_of_checks() {
    assert_eq!(status(b"POST / HTTP/1.0\r\n\r\n"), Some(405));
    assert_eq!(status(b"GET / HTTP/1.0\r\n\r\n"), Some(400));
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), Some(426));
    assert_eq!(
        status(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"),
        Some(400)
    );
    let old = handshake(&[
        ("Sec-WebSocket-Version", Some("8")),
        ("Sec-WebSocket-Key", None),
    ]);
    assert_eq!(status(&old), Some(426));
}

/// spec: H-11, VEC-13: the offer shows the key and its answer.
#[test]
fn key_and_answer() {
    let offer = read(&handshake(&[]))
        .expect("well-formed")
        .offer()
        .expect("valid");
    assert_eq!(offer.key(), "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(offer.accept_key().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let spaced = handshake(&[(
        "Sec-WebSocket-Key",
        Some(" \t dGhlIHNhbXBsZSBub25jZQ== \t "),
    )]);
    let offer = read(&spaced).expect("well-formed").offer().expect("valid");
    assert_eq!(offer.accept_key().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
