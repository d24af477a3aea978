//! The negotiation of permessage-deflate (RFC 7692 §5.1, §7.1), as both ends see it on the wire.

use ws_handshake::client::{Expectation, HandshakeError, Request, ResponseReader};
use ws_handshake::deflate::{Agreement, Context, DeflateConfig, Terms, WindowBits};
use ws_handshake::server::{Acceptance, RequestReader};
use ws_handshake::{Limits, Uri};

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("8 to 15")
}

/// The default's.
fn terms() -> Terms {
    DeflateConfig::default().terms
}

/// What a server begins to answer to a client that offers this.
fn acceptance(offered: &str) -> Acceptance {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: {offered}\r\n\r\n"
    );
    let request = RequestReader::new(Limits::default())
        .read(request.as_bytes())
        .expect("well-formed")
        .expect("complete");
    let offer = request.offer();
    offer
        .expect("the handshake goes on whatever is offered")
        .accept()
}

/// The `Sec-WebSocket-Extensions` of a response.
fn field(acceptance: &Acceptance) -> Option<String> {
    let mut response = Vec::new();
    acceptance.encode(&mut response);
    let response = String::from_utf8(response).expect("ASCII");
    let field = response
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    field.map(str::to_owned)
}

fn answer(terms: &Terms, offered: &str) -> (Option<String>, Option<Agreement>) {
    let acceptance = acceptance(offered).deflate(terms);
    (field(&acceptance), acceptance.negotiated().deflate)
}

fn context(takeover: bool, window: u8) -> Context {
    Context {
        takeover,
        window: bits(window),
    }
}

/// spec: PN-01, PN-02, PN-03, PN-04, PN-05, PN-06, PN-09, PN-13, PN-14, PN-15
#[test]
fn what_can_be_accepted_is() {
    const PMD: &str = "permessage-deflate";
    let all = context(true, 15);
    let cases = [
        ("", "", all, all),
        // The client's window is not limited unless it says that it can be.
        (
            "; client_max_window_bits",
            "; client_max_window_bits=12",
            all,
            context(true, 12),
        ),
        (
            "; client_max_window_bits=10",
            "; client_max_window_bits=10",
            all,
            context(true, 10),
        ),
        (
            "; client_max_window_bits=15",
            "; client_max_window_bits=12",
            all,
            context(true, 12),
        ),
        (
            "; client_max_window_bits=\"9\"",
            "; client_max_window_bits=9",
            all,
            context(true, 9),
        ),
        (
            "; server_max_window_bits=15",
            "; server_max_window_bits=12",
            context(true, 12),
            all,
        ),
        (
            "; server_max_window_bits=12",
            "; server_max_window_bits=12",
            context(true, 12),
            all,
        ),
        (
            "; server_max_window_bits=\"10\"",
            "; server_max_window_bits=10",
            context(true, 10),
            all,
        ),
        (
            "; server_max_window_bits=8",
            "; server_max_window_bits=8",
            context(true, 8),
            all,
        ),
        (
            "; server_no_context_takeover",
            "; server_no_context_takeover",
            context(false, 15),
            all,
        ),
        (
            "; client_no_context_takeover",
            "; client_no_context_takeover",
            all,
            context(false, 15),
        ),
        (
            "; client_max_window_bits; server_max_window_bits=11; client_no_context_takeover; \
             server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; \
             client_max_window_bits=12",
            context(false, 11),
            context(false, 12),
        ),
        // The first that can be accepted, whatever else is offered.
        (
            "; server_max_window_bits=7, permessage-deflate; client_max_window_bits",
            "; client_max_window_bits=12",
            all,
            context(true, 12),
        ),
        (
            ", permessage-deflate; server_no_context_takeover",
            "",
            all,
            all,
        ),
        (", x-webkit-deflate-frame", "", all, all),
    ];
    for (offered, answered, server, client) in cases {
        let (field, agreed) = answer(&terms(), &format!("{PMD}{offered}"));
        assert_eq!(field, Some(format!("{PMD}{answered}")), "{offered}");
        assert_eq!(agreed, Some(Agreement { server, client }), "{offered}");
    }
    let offered = "permessage-bzip2, x-webkit-deflate-frame, permessage-deflate";
    assert_eq!(answer(&terms(), offered).0.as_deref(), Some(PMD));
    // Also 15 has to be answered, by whoever uses it.
    for bits in 8..=15 {
        let offered = format!("{PMD}; server_max_window_bits={bits}");
        let (answered, agreed) = answer(&DeflateConfig::ultra().terms, &offered);
        assert_eq!(answered.as_ref(), Some(&offered));
        let server = context(true, bits);
        assert_eq!(
            agreed,
            Some(Agreement {
                server,
                client: all
            })
        );
    }
}

/// spec: PN-07, PN-08, PN-10, PN-11, PN-12, PN-15, PN-16
#[test]
fn what_breaks_the_rules_is_declined_and_the_handshake_goes_on() {
    let mut declined = [
        "permessage-bzip2",
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; foo",
        "permessage-deflate; foo=1",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=11",
        "permessage-deflate; a; b; c; d; e; f; g",
    ]
    .map(str::to_owned)
    .to_vec();
    for name in ["server_max_window_bits", "client_max_window_bits"] {
        for value in [
            "0",
            "7",
            "16",
            "08",
            "015",
            "-1",
            "+9",
            "1e1",
            "10.0",
            "abc",
            "99999999999999999999",
        ] {
            declined.push(format!("permessage-deflate; {name}={value}"));
        }
    }
    for offered in declined {
        assert_eq!(answer(&terms(), &offered), (None, None), "{offered}");
    }
    // A server that does not compress says nothing of it.
    assert_eq!(field(&acceptance("permessage-deflate")), None);
}

/// spec: PN-04, PN-06, PM-06
#[test]
fn a_server_can_ask_for_less() {
    let mut strict = Terms::default();
    strict.send_takeover = false;
    strict.receive_takeover = false;
    strict.send_max_window = bits(10);
    let (field, _) = answer(&strict, "permessage-deflate; server_max_window_bits=12");
    let expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                    server_max_window_bits=10";
    assert_eq!(field.as_deref(), Some(expected));
    // A compressor that has one size of window takes no smaller one.
    let mut fixed = Terms::default();
    fixed.send_min_window = WindowBits::MAX;
    let offered = "permessage-deflate; server_max_window_bits=14, \
                   permessage-deflate; server_max_window_bits=15";
    let (field, _) = answer(&fixed, offered);
    let expected = "permessage-deflate; server_max_window_bits=15";
    assert_eq!(field.as_deref(), Some(expected));
}

/// The default answers browsers, and Node's and Python's clients, by asking for a window of 4 KiB; the bare offer cannot be
/// asked, and the client may refer back 32 KiB. As a client it offers what browsers do.
///
/// spec: PN-01, PN-02
#[test]
fn the_default_asks_who_can_be_asked_and_demands_nothing() {
    let terms = DeflateConfig::default().terms;
    let cases = [
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=12",
            12,
        ),
        ("permessage-deflate", "permessage-deflate", 15),
    ];
    for (offered, answered, window) in cases {
        let (field, agreed) = answer(&terms, offered);
        assert_eq!(field.as_deref(), Some(answered));
        let expected = Agreement {
            server: context(true, 15),
            client: context(true, window),
        };
        assert_eq!(agreed, Some(expected), "{offered}");
        // Our own client takes that answer, if it is the one to what it offers.
        if window == 12 {
            assert_eq!(terms.offer().to_string(), offered);
            assert_eq!(confirm(&terms, &[answered]).ok(), Some(Some(expected)));
        }
    }
}

/// What a client that offers as these terms say makes of an answer.
fn confirm(terms: &Terms, fields: &[&str]) -> Result<Option<Agreement>, HandshakeError> {
    let uri = Uri::parse("ws://h/").expect("good");
    let (_, expectation) = Request::new(&uri).deflate(terms.offer()).encode([7; 16]);
    verify(&expectation, fields)
}

fn verify(expectation: &Expectation, fields: &[&str]) -> Result<Option<Agreement>, HandshakeError> {
    let fields: String = fields
        .iter()
        .map(|field| format!("Sec-WebSocket-Extensions: {field}\r\n"))
        .collect();
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
        expectation.accept_key().as_str()
    );
    let response = ResponseReader::new(Limits::default())
        .read(response.as_bytes())?
        .expect("complete");
    let negotiated = expectation.verify(&response)?;
    Ok(negotiated.deflate)
}

/// spec: PR-01, PR-03, PR-05, PR-06, PR-10, PR-12, PR-13
#[test]
fn answers_that_fit_the_offer() {
    let all = context(true, 15);
    let cases = [
        ("permessage-deflate", all, all),
        (
            "permessage-deflate; server_no_context_takeover",
            context(false, 15),
            all,
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            all,
            context(false, 15),
        ),
        (
            "permessage-deflate; server_max_window_bits=9",
            context(true, 9),
            all,
        ),
        (
            "permessage-deflate; client_max_window_bits=\"11\"",
            all,
            context(true, 11),
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            all,
            context(true, 8),
        ),
        (
            "permessage-deflate; client_max_window_bits=15",
            all,
            context(true, 15),
        ),
    ];
    for (answered, server, client) in cases {
        let agreed = confirm(&Terms::default(), &[answered]);
        let expected = Agreement { server, client };
        assert_eq!(agreed.ok(), Some(Some(expected)), "{answered}");
    }
    assert_eq!(confirm(&Terms::default(), &[]).ok(), Some(None));
    let mut asking = Terms::default();
    asking.receive_takeover = false;
    asking.server_max_window_bits = bits(10);
    let granted = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
    assert!(matches!(confirm(&asking, &[granted]), Ok(Some(_))));
}

/// spec: PR-02, PR-04, PR-07, PR-08, PR-09, PR-11
#[test]
fn answers_that_do_not_fit_fail_the_handshake() {
    let any = Terms::default();
    let mut asking = Terms::default();
    asking.receive_takeover = false;
    let mut small = Terms::default();
    small.server_max_window_bits = bits(10);
    let mut fixed = Terms::default();
    fixed.send_min_window = WindowBits::MAX;
    let cases: [(&Terms, &[&str]); 22] = [
        (&any, &["permessage-deflate, permessage-deflate"]),
        (&any, &["permessage-deflate", "permessage-deflate"]),
        (&any, &["permessage-deflate, x-other"]),
        (&any, &["x-other"]),
        (&any, &[""]),
        (&any, &["permessage-deflate;"]),
        (&any, &["permessage-deflate; foo"]),
        (&any, &["permessage-deflate; client_max_window_bits"]),
        (&any, &["permessage-deflate; server_max_window_bits"]),
        (&any, &["permessage-deflate; server_max_window_bits=7"]),
        (&any, &["permessage-deflate; server_max_window_bits=16"]),
        (&any, &["permessage-deflate; client_max_window_bits=08"]),
        (&any, &["permessage-deflate; client_no_context_takeover=1"]),
        (
            &any,
            &["permessage-deflate; server_no_context_takeover=\"x\""],
        ),
        (
            &any,
            &["permessage-deflate; client_max_window_bits=9; client_max_window_bits=9"],
        ),
        (
            &any,
            &["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
        ),
        (&asking, &["permessage-deflate"]),
        (&asking, &["permessage-deflate; client_no_context_takeover"]),
        (&small, &["permessage-deflate"]),
        (&small, &["permessage-deflate; server_max_window_bits=11"]),
        (&fixed, &["permessage-deflate; client_max_window_bits=14"]),
        (&fixed, &["permessage-deflate; client_max_window_bits=15"]),
    ];
    for (terms, fields) in cases {
        let failed = confirm(terms, fields);
        assert!(
            matches!(failed, Err(HandshakeError::InvalidExtensions)),
            "{fields:?}: {failed:?}"
        );
    }
    // Nothing was offered.
    let uri = Uri::parse("ws://h/").expect("good");
    let (request, expectation) = Request::new(&uri).encode([7; 16]);
    let request = String::from_utf8(request).expect("ASCII");
    assert!(!request.contains("Extensions"));
    let failed = verify(&expectation, &["permessage-deflate"]);
    assert!(matches!(failed, Err(HandshakeError::InvalidExtensions)));
}

#[test]
fn offers_say_what_the_terms_say() {
    let mut asking = Terms::default();
    asking.receive_takeover = false;
    asking.send_takeover = false;
    asking.server_max_window_bits = bits(10);
    let mut fixed = Terms::default();
    fixed.send_min_window = WindowBits::MAX;
    let cases = [
        (
            &Terms::default(),
            "permessage-deflate; client_max_window_bits",
        ),
        (
            &asking,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits",
        ),
        (&fixed, "permessage-deflate"),
    ];
    for (terms, expected) in cases {
        let uri = Uri::parse("ws://h/").expect("good");
        let (request, _) = Request::new(&uri).deflate(terms.offer()).encode([7; 16]);
        let request = String::from_utf8(request).expect("ASCII");
        let field = format!("\r\nSec-WebSocket-Extensions: {expected}\r\n");
        assert!(request.contains(&field), "{request}");
    }
}
