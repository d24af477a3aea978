//! A response means the same however it is cut, and only the right answer opens a connection.

use ws_handshake::client::{ErrorBody, HandshakeError, Request, Response, ResponseReader};
use ws_handshake::{Limits, Uri};

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
        assert_eq!(read(&chunks, limits), whole);
        match whole {
            None => assert!(stream.len() <= limits.max_head),
            Some(Err(error)) => assert!(!error.to_string().is_empty()),
            Some(Ok(response)) => check(&response, &stream),
        }
    }
}

fn read(chunks: &[&[u8]], limits: Limits) -> Option<Result<Response, HandshakeError>> {
    let mut reader = ResponseReader::new(limits);
    let mut received = Vec::new();
    chunks.iter().find_map(|chunk| {
        received.extend_from_slice(chunk);
        reader.read(&received).transpose()
    })
}

fn check(response: &Response, stream: &[u8]) {
    let after_head = stream
        .get(response.head_len()..)
        .expect("a head is part of what was received");
    assert!(response.status() == 101 || response.status() >= 200);
    assert!(response.headers().len() <= Limits::default().max_fields);
    let uri = Uri::parse("ws://h/").expect("a good URI");
    let (_, expectation) = Request::new(&uri)
        .subprotocol("chat")
        .expect("a token")
        .encode(*b"the sample nonce");
    match expectation.verify(response) {
        Ok(negotiated) => {
            assert_eq!(response.status(), 101);
            let accept: Vec<&[u8]> = response.header_all("sec-websocket-accept").collect();
            assert_eq!(accept, [b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
            let chosen = response.header("sec-websocket-protocol");
            assert_eq!(negotiated.subprotocol.as_deref().map(str::as_bytes), chosen);
            assert!(chosen.is_none_or(|name| name == b"chat"));
        }
        Err(HandshakeError::Refused(_)) => assert_ne!(response.status(), 101),
        Err(_) => assert_eq!(response.status(), 101),
    }
    let mut whole = ErrorBody::new(response, 64);
    whole.feed(after_head);
    let mut cut = ErrorBody::new(response, 64);
    after_head.chunks(3).for_each(|piece| cut.feed(piece));
    assert_eq!(cut.is_complete(), whole.is_complete());
    let whole = whole.into_bytes();
    assert!(whole.len() <= 64.min(after_head.len()));
    assert_eq!(cut.into_bytes(), whole);
}
