//! A request means the same however it is cut, and what is taken for a handshake is answered right.

use ws_handshake::server::{Rejection, Request, RequestReader};
use ws_handshake::{Limits, OriginPolicy, Preference, is_key};

pub(crate) fn run(data: &[u8]) {
    let chunks = crate::cuts::cut(data);
    let stream = chunks.concat();
    let mut small = Limits::default();
    (
        small.max_start_line,
        small.max_field_line,
        small.max_fields,
        small.max_head,
    ) = (40, 60, 8, 300);
    for limits in [Limits::default(), small] {
        let whole = read(&[&stream], limits);
        let cut = read(&chunks, limits);
        match (&whole, &cut) {
            (None, None) => assert!(stream.len() <= limits.max_head),
            (Some(Err(whole)), Some(Err(cut))) => assert_eq!(whole, cut),
            (Some(Ok(whole)), Some(Ok(cut))) => {
                assert_eq!(whole.bytes(), cut.bytes());
                assert!(whole.headers().eq(cut.headers()));
                check(whole, &stream, limits);
            }
            _ => panic!("{whole:?} in one piece, {cut:?} cut"),
        }
    }
}

fn read(chunks: &[&[u8]], limits: Limits) -> Option<Result<Request, Rejection>> {
    let mut reader = RequestReader::new(limits);
    let mut received = Vec::new();
    chunks.iter().find_map(|chunk| {
        received.extend_from_slice(chunk);
        reader.read(&received).transpose()
    })
}

fn check(request: &Request, stream: &[u8], limits: Limits) {
    assert_eq!(stream.get(..request.head_len()), Some(&request.bytes()[..]));
    assert!(request.head_len() <= limits.max_head);
    assert!(request.headers().len() <= limits.max_fields);
    assert!(request.path().starts_with('/'));
    assert!(request.target().is_ascii() && !request.target().contains([' ', '#', '<', '"']));
    for (name, value) in request.headers() {
        assert!(!name.is_empty() && name.is_ascii());
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        assert!(request.header_all(name).any(|one| one == value));
    }
    assert!(request.header("transfer-encoding").is_none());
    let mut answer = Vec::new();
    match request.offer() {
        Err(rejection) => {
            assert!(matches!(rejection.status(), Some(400..=505)));
            rejection.encode(&mut answer);
            assert!(answer.starts_with(b"HTTP/1.1 "));
        }
        Ok(offer) => {
            assert!(request.wants_websocket() && is_key(offer.key().as_bytes()));
            assert!(
                offer
                    .extensions()
                    .all(|extension| !extension.name().is_empty())
            );
            let offered: Vec<&str> = offer.subprotocols().collect();
            let first = offered.first().copied();
            assert_eq!(
                offer.select_subprotocol(&offered, Preference::Client),
                first
            );
            assert_eq!(
                offer.select_subprotocol(&offered, Preference::Server),
                first
            );
            let mut acceptance = offer.clone().accept();
            if let Some(name) = first {
                acceptance = acceptance.subprotocol(name).expect("it was offered");
            }
            acceptance.encode(&mut answer);
            assert!(answer.ends_with(b"\r\n\r\n"));
            assert_eq!(acceptance.negotiated().subprotocol.as_deref(), first);
        }
    }
    if request.origin().is_none() {
        assert_eq!(OriginPolicy::SameHost.check(request), Ok(()));
    } else if OriginPolicy::SameHost.check(request).is_ok() {
        let host = request
            .host()
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let origin = request.origin().unwrap_or_default().to_ascii_lowercase();
        assert!(String::from_utf8_lossy(&origin).contains(&host));
    }
}
