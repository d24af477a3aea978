//! What a client makes of an answer.

mod wire;

use wire::{Changes, head, read_response};
use ws_handshake::client::{
    ErrorBody, Expectation, Fault, HandshakeError, Refusal, Request, Response, ResponseReader,
};
use ws_handshake::{Limits, Negotiated, Uri};

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn request() -> Request {
    Request::new(&Uri::parse("ws://h/").expect("good"))
}

fn expectation() -> Expectation {
    let request = request()
        .subprotocol("chat")
        .and_then(|request| request.subprotocol("superchat"));
    request.expect("two names").encode(*b"the sample nonce").1
}

/// A good 101 in which some fields are replaced or added.
fn answer(changes: Changes) -> Vec<u8> {
    answer_with("HTTP/1.1 101 Switching Protocols", changes)
}

fn answer_with(status_line: &str, changes: Changes) -> Vec<u8> {
    let good = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", ACCEPT),
    ];
    let is_changed = |name: &str| {
        changes
            .iter()
            .any(|(changed, _)| changed.eq_ignore_ascii_case(name))
    };
    let kept = good
        .iter()
        .filter(|(name, _)| !is_changed(name))
        .map(|(name, value)| (*name, *value));
    let changed = changes
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    let mut lines = vec![status_line.to_owned()];
    lines.extend(
        kept.chain(changed)
            .map(|(name, value)| format!("{name}: {value}")),
    );
    head(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn verdict(received: &[u8]) -> Result<Negotiated, HandshakeError> {
    expectation().verify(&read_response(received)?)
}

/// spec: P-60, K-16, K-17, K-18, K-28, P-80, P-81, P-84, P-88
#[test]
fn good() {
    let cases: [Changes; 9] = [
        &[],
        &[("Upgrade", Some("WebSocket"))],
        &[("upgrade", Some("WEBSOCKET"))],
        &[("Connection", Some("upgrade"))],
        &[("Connection", Some("keep-alive, Upgrade"))],
        &[
            ("Connection", Some("keep-alive")),
            ("connection", Some("upgrade")),
        ],
        &[(
            "SEC-WEBSOCKET-ACCEPT",
            Some(" \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t"),
        )],
        // K-28, P-84: illegal in a 101, and harmless.
        &[("Content-Length", Some("0")), ("Date", Some("x"))],
        &[
            ("Transfer-Encoding", Some("chunked")),
            ("Server", Some("x")),
        ],
    ];
    for changes in cases {
        assert_eq!(
            verdict(&answer(changes)).map(|negotiated| negotiated.subprotocol),
            Ok(None),
            "{changes:?}"
        );
    }
    for line in [
        "HTTP/1.1 101 Web Socket Protocol Handshake",
        "HTTP/1.1 101 ",
        "HTTP/1.1 101",
        "HTTP/1.2 101 \u{fc}\t!",
    ] {
        assert!(verdict(&answer_with(line, &[])).is_ok(), "{line}");
    }
    // H11: without a space after the colon.
    let tight = format!(
        "HTTP/1.1 101 x\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Accept:{ACCEPT}\r\n\r\n"
    );
    assert!(verdict(tight.as_bytes()).is_ok());
}

/// spec: P-63, K-16..K-20, X-06: each item of RFC 6455 section 4.1.
#[test]
fn bad_101() {
    use HandshakeError::*;
    let swapped = ACCEPT.to_ascii_lowercase();
    let cases: [(Changes, HandshakeError); 32] = [
        (&[("Upgrade", None)], InvalidUpgrade),
        (&[("Upgrade", Some(""))], InvalidUpgrade),
        (&[("Upgrade", Some("h2c"))], InvalidUpgrade),
        (&[("Upgrade", Some("websocket, x"))], InvalidUpgrade),
        (
            &[
                ("Upgrade", Some("websocket")),
                ("Upgrade", Some("websocket")),
            ],
            InvalidUpgrade,
        ),
        (&[("Connection", None)], InvalidConnection),
        (&[("Connection", Some("close"))], InvalidConnection),
        (
            &[("Connection", Some("upgrade-insecure"))],
            InvalidConnection,
        ),
        (&[("Connection", Some("Upgrade; x"))], InvalidConnection),
        (&[("Sec-WebSocket-Accept", None)], InvalidAccept),
        (&[("Sec-WebSocket-Accept", Some(""))], InvalidAccept),
        (&[("Sec-WebSocket-Accept", Some(&swapped))], InvalidAccept),
        (
            &[("Sec-WebSocket-Accept", Some("dGhlIHNhbXBsZSBub25jZQ=="))],
            InvalidAccept,
        ),
        (
            &[("Sec-WebSocket-Accept", Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo"))],
            InvalidAccept,
        ),
        (
            &[(
                "Sec-WebSocket-Accept",
                Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=="),
            )],
            InvalidAccept,
        ),
        (
            &[("Sec-WebSocket-Accept", Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOp="))],
            InvalidAccept,
        ),
        (
            &[
                ("Sec-WebSocket-Accept", Some(ACCEPT)),
                ("Sec-WebSocket-Accept", Some(ACCEPT)),
            ],
            InvalidAccept,
        ),
        (
            &[("Sec-WebSocket-Accept", Some(&format!("{ACCEPT}, {ACCEPT}")))],
            InvalidAccept,
        ),
        (
            &[("Sec-WebSocket-Extensions", Some("permessage-deflate"))],
            InvalidExtensions,
        ),
        (
            &[(
                "Sec-WebSocket-Extensions",
                Some("permessage-deflate, permessage-deflate"),
            )],
            InvalidExtensions,
        ),
        (
            &[("Sec-WebSocket-Extensions", Some("x-unknown"))],
            InvalidExtensions,
        ),
        (
            &[("Sec-WebSocket-Extensions", Some("a;;"))],
            InvalidExtensions,
        ),
        (&[("Sec-WebSocket-Extensions", Some(""))], InvalidExtensions),
        (
            &[("Sec-WebSocket-Protocol", Some("Chat"))],
            InvalidSubprotocol,
        ),
        (&[("Sec-WebSocket-Protocol", Some(""))], InvalidSubprotocol),
        (
            &[("Sec-WebSocket-Protocol", Some("other"))],
            InvalidSubprotocol,
        ),
        (
            &[("Sec-WebSocket-Protocol", Some("chat, superchat"))],
            InvalidSubprotocol,
        ),
        (
            &[("Sec-WebSocket-Protocol", Some("chat,"))],
            InvalidSubprotocol,
        ),
        (
            &[
                ("Sec-WebSocket-Protocol", Some("chat")),
                ("Sec-WebSocket-Protocol", Some("chat")),
            ],
            InvalidSubprotocol,
        ),
        (
            &[
                ("Sec-WebSocket-Protocol", Some("chat")),
                ("Sec-WebSocket-Protocol", Some("superchat")),
            ],
            InvalidSubprotocol,
        ),
        (
            &[("Sec-WebSocket-Protocol", Some("chatx"))],
            InvalidSubprotocol,
        ),
        (
            &[("Sec-WebSocket-Protocol", Some("cha"))],
            InvalidSubprotocol,
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            verdict(&answer(changes)),
            Err(expected.clone()),
            "{changes:?}"
        );
        assert_eq!(expected.fault(), Fault::Peer);
    }
}

/// spec: K-20, K-21
#[test]
fn subprotocols() {
    for name in ["chat", "superchat"] {
        let negotiated =
            verdict(&answer(&[("Sec-WebSocket-Protocol", Some(name))])).expect("it was offered");
        assert_eq!(negotiated.subprotocol.as_deref(), Some(name));
    }
    let strict = request()
        .subprotocol("chat")
        .expect("a name")
        .require_subprotocol();
    let (_, strict) = strict.encode(*b"the sample nonce");
    let none = read_response(&answer(&[])).expect("well-formed");
    assert_eq!(
        strict.verify(&none),
        Err(HandshakeError::MissingSubprotocol)
    );
    let chosen =
        read_response(&answer(&[("Sec-WebSocket-Protocol", Some("chat"))])).expect("well-formed");
    assert!(strict.verify(&chosen).is_ok());
    // None was offered, so none may come.
    let (_, silent) = request().encode(*b"the sample nonce");
    assert_eq!(
        silent.verify(&chosen),
        Err(HandshakeError::InvalidSubprotocol)
    );
}

/// spec: P-64, K-23, P-02, P-03, P-68
#[test]
fn status_lines() {
    use HandshakeError::*;
    let cases = [
        ("HTTP/1.0 101 Switching Protocols", UnsupportedHttpVersion),
        ("HTTP/2 101", NotHttp),
        ("HTTP/2.0 101 x", NotHttp),
        ("HTTP/0.9 101 x", NotHttp),
        ("HTTP/1.1  101 x", MalformedResponse),
        ("HTTP/1.1 10 x", MalformedResponse),
        ("HTTP/1.1 1010 x", MalformedResponse),
        ("HTTP/1.1 1O1 x", MalformedResponse),
        ("HTTP/1.1 -01 x", MalformedResponse),
        ("HTTP/1.1 001 x", MalformedResponse),
        ("HTTP/1.1 ", MalformedResponse),
        ("HTTP/1.1 101x", MalformedResponse),
        ("HTTP/1.1 101\tx", MalformedResponse),
        ("HTTP/1.1 101 x\x7f", MalformedResponse),
        ("HTTP/1.1 101 x\0", MalformedResponse),
        ("HTTP/1.1", NotHttp),
        ("HTTP/1.11 101 x", NotHttp),
        ("HTTP/1.x 101 x", NotHttp),
        ("http/1.1 101 x", NotHttp),
        ("ICY 200 OK", NotHttp),
        ("<html>", NotHttp),
        (" HTTP/1.1 101 x", NotHttp),
        ("\r\nHTTP/1.1 101 x", NotHttp),
    ];
    for (line, expected) in cases {
        assert_eq!(verdict(&answer_with(line, &[])), Err(expected), "{line:?}");
    }
    let odd = read_response(b"HTTP/1.0 999 \xff\xfe\r\n\r\n").expect("odd but HTTP");
    assert_eq!(
        (odd.status(), odd.minor_version(), odd.reason()),
        (999, 0, b"\xff\xfe".as_slice())
    );
    let bare = read_response(b"HTTP/1.1 200\r\n\r\n").expect("no reason");
    assert_eq!(bare.reason(), b"");
}

/// spec: P-65, P-66, P-69, P-20, P-19: patient with simple servers, and not with broken ones.
#[test]
fn line_ends_and_folds() {
    let lf = format!(
        "HTTP/1.1 101 x\nUpgrade: websocket\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\n\n"
    );
    assert!(verdict(lf.as_bytes()).is_ok());
    assert_eq!(
        read_response(lf.as_bytes()).expect("complete").head_len(),
        lf.len()
    );
    let folded = format!(
        "HTTP/1.1 101 x\r\nUpgrade:\r\n websocket\r\nConnection: keep-alive,\r\n\tUpgrade\r\n\
         Sec-WebSocket-Accept:\n {ACCEPT}\r\n \r\nX: a\r\n  b\n\tc\r\n\r\n"
    );
    let response = read_response(folded.as_bytes()).expect("foldable");
    assert!(expectation().verify(&response).is_ok());
    let value = response
        .header("x")
        .expect("there")
        .split(|byte| matches!(byte, b' ' | b'\t'));
    assert_eq!(
        value.filter(|part| !part.is_empty()).collect::<Vec<_>>(),
        [b"a", b"b", b"c"]
    );
    assert_eq!(response.head_len(), folded.len());
    assert_eq!(response.bytes().len(), folded.len());
    let bad: [&[u8]; 9] = [
        b"HTTP/1.1 101 x\r\n Upgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n",
        b"HTTP/1.1 101 x\r\nUpgrade: web\rsocket\r\n\r\n",
        b"HTTP/1.1 101 x\rUpgrade: websocket\r\r",
        b"HTTP/1.1 101 x\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 x\r\n: a\r\n\r\n",
        b"HTTP/1.1 101 x\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 101 x\r\nX: a\x7fb\r\n\r\n",
        b"HTTP/1.1 101 x\r\nX: a\r\r\n\r\n",
    ];
    for received in bad {
        assert_eq!(
            read_response(received).err(),
            Some(HandshakeError::MalformedResponse),
            "{}",
            received.escape_ascii()
        );
    }
}

/// spec: P-61, K-22: interim responses are skipped, up to 8, and count as head.
#[test]
fn interim_responses() {
    let interim = [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 102\n\n",
    ];
    for count in 0..=8 {
        let received = [
            interim
                .iter()
                .cycle()
                .take(count)
                .copied()
                .collect::<String>()
                .as_bytes(),
            &answer(&[]),
        ]
        .concat();
        let response =
            read_response(&[&received, b"\x81\x00".as_slice()].concat()).expect("few enough");
        assert_eq!(response.head_len(), received.len());
        assert_eq!(&response.bytes()[..], answer(&[]));
        assert!(expectation().verify(&response).is_ok());
    }
    let received = [interim[0].repeat(9).as_bytes(), &answer(&[])].concat();
    assert_eq!(
        read_response(&received).err(),
        Some(HandshakeError::TooManyInterimResponses)
    );
}

/// spec: K-24, H-28: frames right behind the 101 stay where they are.
#[test]
fn bytes_after_the_head() {
    let head = answer(&[]);
    let received = [&head, b"\x81\x05Hello".as_slice()].concat();
    assert_eq!(
        read_response(&received).expect("complete").head_len(),
        head.len()
    );
}

/// spec: K-29, P-08: all fields reach the caller.
#[test]
fn fields_as_received() {
    let response = answer(&[("Set-Cookie", Some("a=1")), ("set-cookie", Some("b=2"))]);
    let response = read_response(&response).expect("well-formed");
    assert_eq!(
        response.header_all("SET-COOKIE").collect::<Vec<_>>(),
        [b"a=1", b"b=2"]
    );
    assert_eq!(response.header("Date"), None);
    assert_eq!(response.headers().count(), 5);
}

/// spec: P-67, K-23: limits bite in the middle of a line.
#[test]
fn limits() {
    let refused_after = |received: &[u8]| {
        let mut reader = ResponseReader::new(Limits::default());
        (0..=received.len()).find_map(|end| {
            let error = reader.read(&received[..end]).err()?;
            assert_eq!(
                reader.read(&received[..end]),
                Err(error.clone()),
                "the verdict stays"
            );
            assert_eq!(error, HandshakeError::ResponseTooLarge);
            Some(end)
        })
    };
    let endless = |start: &str, filler: &str| {
        [start, &filler.repeat(60_000 / filler.len())]
            .concat()
            .into_bytes()
    };
    assert_eq!(refused_after(&endless("HTTP/1.1 101 ", "a")), Some(8193));
    assert_eq!(
        refused_after(&endless("HTTP/1.1 101\r\nX: ", "a")),
        Some(14 + 8193)
    );
    assert_eq!(
        refused_after(&endless("HTTP/1.1 101\r\n", "X: y\n")),
        Some(14 + 101 * 5)
    );
    let wide = format!("X: {}\n", "y".repeat(8000));
    assert_eq!(
        refused_after(&endless("HTTP/1.1 101\r\n", &wide)),
        Some(32_769)
    );
    // Interim responses share the limit of the head.
    let hints = format!("HTTP/1.1 103\n{wide}\n");
    assert_eq!(refused_after(&endless("", &hints)), Some(32_769));
}

/// spec: P-67, CD-08, K-25
#[test]
fn end_of_input() {
    let mut reader = ResponseReader::new(Limits::default());
    assert_eq!(reader.handle_eof(b""), HandshakeError::ClosedBeforeResponse);
    assert_eq!(reader.read(b"HTTP/1.1 1"), Ok(None));
    assert_eq!(
        reader.handle_eof(b"HTTP/1.1 1"),
        HandshakeError::ClosedInsideResponse
    );
    assert_eq!(
        reader.read(b"HTTP/1.1 1\0"),
        Err(HandshakeError::MalformedResponse)
    );
    assert_eq!(
        reader.handle_eof(b"HTTP/1.1 1\0"),
        HandshakeError::MalformedResponse
    );
}

/// spec: CD-08: a plain client on a TLS port, and other things that are not HTTP.
#[test]
fn not_http() {
    let first = |received: &[u8]| ResponseReader::new(Limits::default()).read(received).err();
    assert_eq!(
        first(b"\x15\x03\x03\x00\x02\x02\x32"),
        Some(HandshakeError::TlsResponse)
    );
    assert_eq!(first(b"\x16"), Some(HandshakeError::TlsResponse));
    assert_eq!(first(b"\x00\x00\x12\x04"), Some(HandshakeError::NotHttp));
    assert_eq!(first(b"SSH-2.0"), Some(HandshakeError::NotHttp));
    assert_eq!(first(b"HTTP\x15"), Some(HandshakeError::NotHttp));
    assert_eq!(first(b"HTT"), None);
}

fn refusal(received: &[u8]) -> Refusal {
    let response: Response = read_response(received).expect("well-formed");
    let Err(HandshakeError::Refused(refusal)) = expectation().verify(&response) else {
        panic!("not refused: {}", received.escape_ascii());
    };
    assert_eq!(refusal.response(), &response);
    assert!(refusal.body().is_empty());
    let mut body = ErrorBody::new(&response, ErrorBody::DEFAULT_LIMIT);
    body.feed(&received[response.head_len()..]);
    Refusal::new(response, body.into_bytes())
}

/// spec: K-15, P-62, K-26, CD-08: any other status is an error with all that was said, and a guess why.
#[test]
fn refusals() {
    let cases: [(&str, u16, Option<&str>); 19] = [
        ("HTTP/1.1 200 OK\r\n\r\n<html>", 200, None),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        (
            "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n",
            301,
            Some("redirects"),
        ),
        ("HTTP/1.1 400 Bad Request\r\n\r\nno", 400, None),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port",
            400,
            Some("TLS"),
        ),
        (
            "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
            400,
            Some("TLS"),
        ),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\nYou're speaking plain HTTP to an SSL-enabled server port.",
            400,
            Some("TLS"),
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n",
            401,
            Some("credentials"),
        ),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", 403, Some("Origin")),
        ("HTTP/1.1 404 Not Found\r\n\r\n", 404, Some("path")),
        ("HTTP/1.1 407 Proxy\r\n\r\n", 407, Some("proxy")),
        (
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7\r\n\r\n",
            426,
            Some("version"),
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Version: 13\r\n\r\n",
            426,
            Some("proxy"),
        ),
        ("HTTP/1.1 426 Upgrade Required\r\n\r\n", 426, Some("proxy")),
        ("HTTP/1.1 429 Too Many\r\n\r\n", 429, Some("later")),
        ("HTTP/1.1 500 Oops\r\n\r\n", 500, None),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", 502, None),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n",
            503,
            Some("later"),
        ),
        ("HTTP/1.1 599 X\r\n\r\n", 599, None),
    ];
    for (received, status, hint) in cases {
        let refusal = refusal(received.as_bytes());
        assert_eq!(refusal.response().status(), status, "{received}");
        assert_eq!(refusal.hint().is_some(), hint.is_some(), "{received}");
        assert!(
            refusal
                .hint()
                .unwrap_or_default()
                .contains(hint.unwrap_or_default()),
            "{received}"
        );
        let (_, body) = received.split_once("\r\n\r\n").expect("a head");
        assert_eq!(refusal.body(), body);
        let (shown, hint_text) = (refusal.to_string(), refusal.hint());
        let error = HandshakeError::from(refusal);
        assert_eq!((error.fault(), error.hint()), (Fault::Peer, hint_text));
        assert_eq!(error.to_string(), shown);
        assert!(shown.contains(&status.to_string()) && shown.contains(hint.unwrap_or_default()));
    }
}

/// Every error has a text, and the text has the hint.
#[test]
fn error_texts() {
    use HandshakeError::*;
    let errors = [
        ClosedBeforeResponse,
        ClosedInsideResponse,
        TlsResponse,
        NotHttp,
        MalformedResponse,
        ResponseTooLarge,
        TooManyInterimResponses,
        UnsupportedHttpVersion,
        InvalidUpgrade,
        InvalidConnection,
        InvalidAccept,
        InvalidExtensions,
        InvalidSubprotocol,
        MissingSubprotocol,
    ];
    let mut texts = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (error, text) in errors.iter().zip(&texts) {
        assert_eq!(error.fault(), Fault::Peer);
        assert!(text.ends_with(')') == error.hint().is_some(), "{text}");
        assert!(text.contains(error.hint().unwrap_or_default()), "{text}");
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), errors.len());
}
