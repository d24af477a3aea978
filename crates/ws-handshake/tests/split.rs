//! Chunking is invisible: however the bytes are cut, the result is the same.

mod wire;

use proptest::prelude::*;
use wire::{handshake, handshake_with};
use ws_handshake::Limits;
use ws_handshake::client::{ErrorBody, HandshakeError, Request, Response, ResponseReader};
use ws_handshake::server::{Rejection, RequestReader};
use ws_handshake::{OriginPolicy, Uri, extension};

/// What a server makes of a request: everything a caller can see.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    head: Vec<u8>,
    target: String,
    path: String,
    query: Option<String>,
    host: String,
    fields: Vec<(String, Vec<u8>)>,
    answer: Vec<u8>,
}

type Verdict = Option<Result<Seen, Rejection>>;

/// The verdict when the bytes arrive up to these positions, one after another, and then all.
fn server(received: &[u8], cuts: impl IntoIterator<Item = usize>, limits: Limits) -> Verdict {
    let mut reader = RequestReader::new(limits);
    for end in cuts.into_iter().chain([received.len()]) {
        match reader.read(&received[..end]) {
            Ok(None) => {}
            Err(rejection) => return Some(Err(rejection)),
            Ok(Some(request)) => {
                let mut answer = Vec::new();
                match request.offer() {
                    Ok(offer) => offer.accept().encode(&mut answer),
                    Err(rejection) => rejection.encode(&mut answer),
                }
                assert_eq!(request.head_len(), request.bytes().len());
                return Some(Ok(Seen {
                    head: request.bytes().to_vec(),
                    target: request.target().to_owned(),
                    path: request.path().to_owned(),
                    query: request.query().map(str::to_owned),
                    host: request.host().to_owned(),
                    fields: request
                        .headers()
                        .map(|(name, value)| (name.to_owned(), value.to_vec()))
                        .collect(),
                    answer,
                }));
            }
        }
    }
    None
}

fn client(
    received: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    limits: Limits,
) -> Option<Result<Response, HandshakeError>> {
    let mut reader = ResponseReader::new(limits);
    cuts.into_iter()
        .chain([received.len()])
        .find_map(|end| reader.read(&received[..end]).transpose())
}

fn small() -> Limits {
    let mut limits = Limits::default();
    (
        limits.max_start_line,
        limits.max_field_line,
        limits.max_fields,
        limits.max_head,
    ) = (40, 40, 5, 200);
    limits
}

/// Every cut in two, and byte by byte, with usual and with small limits.
fn assert_server(received: &[u8]) {
    for limits in [Limits::default(), small()] {
        let whole = server(received, [], limits);
        let shown = received.escape_ascii();
        assert_eq!(
            server(received, 0..received.len(), limits),
            whole,
            "byte by byte: {shown}"
        );
        for cut in 0..received.len() {
            assert_eq!(
                server(received, [cut], limits),
                whole,
                "cut at {cut}: {shown}"
            );
        }
    }
}

fn assert_client(received: &[u8]) {
    for limits in [Limits::default(), small()] {
        let whole = client(received, [], limits);
        let shown = received.escape_ascii();
        assert_eq!(
            client(received, 0..received.len(), limits),
            whole,
            "byte by byte: {shown}"
        );
        for cut in 0..received.len() {
            assert_eq!(
                client(received, [cut], limits),
                whole,
                "cut at {cut}: {shown}"
            );
        }
    }
}

/// spec: H-22, P-30, P-42: good and bad requests, with and without bytes behind them.
#[test]
fn requests_at_every_cut() {
    let tails: [&[u8]; 3] = [
        b"",
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    let requests = [
        handshake(&[]),
        handshake(&[
            ("Sec-WebSocket-Protocol", Some("a, b")),
            ("Cookie", Some("c")),
        ]),
        handshake_with(
            "GET http://h/x?y HTTP/1.1",
            &[("Expect", Some("100-continue"))],
        ),
        [b"\r\n\r\n".as_slice(), &handshake(&[])].concat(),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
    ];
    for request in &requests {
        for tail in tails {
            assert_server(&[request, tail].concat());
        }
    }
    let broken: [&[u8]; 23] = [
        b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"\r\rGET",
        b"\r\n\r\n\r\0",
        b"\n",
        b"\x16\x03\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/1.1\r\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET x HTTP/1.1\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: \x7f\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nnone\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: 0123456789012345678901234567890123456\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: 01234567890123456789012345678901234567\r\nHost: h\r\n\r\n",
    ];
    for request in broken {
        assert_server(request);
    }
    assert_server(&[b"M".repeat(45), b" / HTTP/1.1\r\n\r\n".to_vec()].concat());
    assert_server(
        &[
            b"GET /".to_vec(),
            b"a".repeat(27),
            b" HTTP/1.1\r\n\r\n".to_vec(),
        ]
        .concat(),
    );
}

/// spec: H-22: a head in one piece is read in one pass, one in two pieces line by line; they agree on
/// each byte in each place.
#[test]
fn every_byte_in_every_place() {
    let fields = b"Host: h\r\nOrigin:\t x \r\naccept-language: a;b, c\r\n\r\n";
    let start = b"GET / HTTP/1.1\r\n";
    let mut head = [start.as_slice(), fields].concat();
    for place in start.len()..head.len() {
        for byte in 0..=u8::MAX {
            let usual = std::mem::replace(&mut head[place], byte);
            assert_eq!(
                server(&head, [], Limits::default()),
                server(&head, [start.len()], Limits::default()),
                "{}",
                head.escape_ascii()
            );
            head[place] = usual;
        }
    }
}

/// spec: K-24, P-65, P-66, K-22
#[test]
fn responses_at_every_cut() {
    let responses: [&[u8]; 16] = [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x00",
        b"HTTP/1.1 101 x\nUpgrade: websocket\n\n\n\n",
        b"HTTP/1.1 101 x\r\nA: b\r\n c\n\td\r\nE:\r\n \r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 101\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 20x\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\x15\x03\x03\x00\x02",
        b"HTTQ",
        b"HTTP/1.1 101 x\r\n a\r\n\r\n",
        b"HTTP/1.1 101 x\r\nA\rB: c\r\n\r\n",
        b"HTTP/1.1 101 x\r\nA: \0\r\n\r\n",
        b"HTTP/1.1 101 0123456789012345678901234567890\r\n\r\n",
        b"HTTP/1.1 101 x\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\n\r\n",
        b"HTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTQ/1.1 100\r\n\r\n",
    ];
    for response in responses {
        assert_client(response);
    }
    let many = b"HTTP/1.1 100\r\n\r\n".repeat(20);
    assert_client(&many);
}

/// Bytes that are likely to matter in a head.
fn spice() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => any::<u8>().prop_map(|byte| vec![byte]),
        8 => proptest::sample::select(b"\r\n\t :,;=\"%/?#\0\x7f\x80A1".as_slice()).prop_map(|byte| vec![byte]),
        4 => Just(b"\r\n".to_vec()),
        2 => Just(b"\r\n\r\n".to_vec()),
        2 => Just(b"\r\n ".to_vec()),
        1 => proptest::sample::select(
            ["Host: h", "Upgrade: websocket", "Content-Length: 0", "Transfer-Encoding: x", "HTTP/1.1", "[::1]"].as_slice()
        ).prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// A good head with a few places overwritten or inserted.
fn damaged(head: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((0..=head.len(), spice(), any::<bool>()), 0..4);
    edits.prop_map(move |edits| {
        let mut head = head.clone();
        for (at, bytes, is_inserted) in edits {
            let at = at.min(head.len());
            let end = if is_inserted {
                at
            } else {
                (at + bytes.len()).min(head.len())
            };
            head.splice(at..end, bytes);
        }
        head
    })
}

const RESPONSE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX: a\r\n b\r\n\r\n\x81\x00";

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    proptest::collection::vec(any::<prop::sample::Index>(), 0..8)
}

fn sorted(cuts: &[prop::sample::Index], length: usize) -> Vec<usize> {
    let mut cuts = cuts
        .iter()
        .map(|cut| cut.index(length + 1))
        .collect::<Vec<_>>();
    cuts.sort_unstable();
    cuts
}

proptest! {
    /// Damaged requests: no panic, and the same verdict for any cuts.
    #[test]
    fn damaged_requests(request in damaged(handshake(&[("Sec-WebSocket-Extensions", Some("a; b=\"c\""))])), cuts in cuts(), is_small in any::<bool>()) {
        let limits = if is_small { small() } else { Limits::default() };
        let whole = server(&request, [], limits);
        prop_assert_eq!(&server(&request, sorted(&cuts, request.len()), limits), &whole);
        prop_assert_eq!(&server(&request, 0..request.len(), limits), &whole);
    }

    /// Damaged responses: the same.
    #[test]
    fn damaged_responses(response in damaged(RESPONSE.to_vec()), cuts in cuts(), is_small in any::<bool>()) {
        let limits = if is_small { small() } else { Limits::default() };
        let whole = client(&response, [], limits);
        prop_assert_eq!(&client(&response, sorted(&cuts, response.len()), limits), &whole);
        prop_assert_eq!(&client(&response, 0..response.len(), limits), &whole);
    }

    /// Bytes without any form.
    #[test]
    fn arbitrary_bytes(pieces in proptest::collection::vec(spice(), 0..60), cuts in cuts()) {
        let received = pieces.concat();
        let cuts = sorted(&cuts, received.len());
        prop_assert_eq!(server(&received, cuts.clone(), small()), server(&received, [], small()));
        prop_assert_eq!(client(&received, cuts, small()), client(&received, [], small()));
        if let Ok(extensions) = extension::parse([&received[..]].into_iter()) {
            prop_assert!((1..=extension::MAX_ITEMS).contains(&extensions.count()));
        }
        if let Some(uri) = core::str::from_utf8(&received).ok().and_then(|text| Uri::parse(text).ok()) {
            prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
        }
    }

    /// Bodies: what is kept does not depend on the cuts.
    #[test]
    fn bodies(head in 0..4_usize, pieces in proptest::collection::vec(spice(), 0..30), step in 1..9_usize) {
        let fields = ["", "Content-Length: 20\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\n"];
        let response = format!("HTTP/1.1 500 x\r\n{}\r\n", fields[head]);
        let response = client(response.as_bytes(), [], Limits::default()).expect("complete").expect("good");
        let received = pieces.concat();
        let feed = |step: usize| {
            let mut body = ErrorBody::new(&response, 16);
            received.chunks(step).for_each(|piece| body.feed(piece));
            (body.is_complete(), body.into_bytes())
        };
        prop_assert_eq!(feed(step), feed(received.len().max(1)));
    }

    /// What a client may ask is what a server may grant, both ways round.
    #[test]
    fn round_trip(
        nonce in any::<[u8; 16]>(),
        path in "[a-zA-Z0-9/%._~é{}|-]{0,20}",
        query in proptest::option::of("[a-z0-9=&\"\\^`ü]{0,20}"),
        host in "[a-z][a-z0-9-]{0,10}(\\.[a-z]{2,5})?",
        port in proptest::option::of(1..=u16::MAX),
        offered in proptest::collection::hash_set("[A-Za-z0-9.!#$&*+|~-]{1,8}", 0..5),
        chosen in any::<prop::sample::Index>(),
        value in "[ -~\u{e9}\u{4e2d}]{0,30}",
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = path.replace('%', "%25");
        let uri = Uri::parse(&format!("ws://{host}{port}/{path}{query}")).expect("a good URI");
        let offered = offered.into_iter().collect::<Vec<_>>();
        let mut request = Request::new(&uri).header("X-Value", &value).expect("a good value");
        request = request.origin(&format!("http://{host}{port}")).expect("a good origin");
        for name in &offered {
            request = request.subprotocol(name).expect("a good name");
        }
        let (sent, expectation) = request.encode(nonce);

        let read = RequestReader::new(Limits::default()).read(&sent).expect("valid").expect("complete");
        prop_assert_eq!(read.head_len(), sent.len());
        prop_assert_eq!(read.target(), uri.resource_name());
        prop_assert_eq!(read.host(), uri.authority());
        prop_assert_eq!(read.header("x-value"), Some(value.trim_matches(' ').as_bytes()));
        prop_assert_eq!(OriginPolicy::SameHost.check(&read), Ok(()));
        let offer = read.offer().expect("valid");
        prop_assert!(offer.subprotocols().eq(offered.iter().map(String::as_str)));
        let mut acceptance = offer.accept();
        if !offered.is_empty() {
            acceptance = acceptance.subprotocol(&offered[chosen.index(offered.len())]).expect("offered");
        }
        let mut answer = Vec::new();
        acceptance.encode(&mut answer);
        let head_len = answer.len();
        answer.extend_from_slice(b"\x81\x00");

        let response = ResponseReader::new(Limits::default()).read(&answer).expect("valid").expect("complete");
        prop_assert_eq!(response.head_len(), head_len);
        prop_assert_eq!(expectation.verify(&response), Ok(acceptance.negotiated()));
    }

    /// Whatever is refused, the refusal is a response our own client reads to its end.
    #[test]
    fn refusals_round_trip(status in 300..600_u16, body in "[ -~]{0,40}", retry in any::<u32>()) {
        let rejection = Rejection::new(status, "No.").expect("a refusal")
            .content("text/plain", body.clone()).expect("a type")
            .header("Retry-After", retry.to_string()).expect("a value");
        let mut sent = Vec::new();
        rejection.encode(&mut sent);
        let response = client(&sent, [], Limits::default()).expect("complete").expect("good");
        prop_assert_eq!(response.status(), status);
        let mut read = ErrorBody::new(&response, 1000);
        read.feed(&sent[response.head_len()..]);
        prop_assert!(read.is_complete());
        if status != 304 {
            prop_assert_eq!(read.into_bytes(), body);
        }
    }
}
