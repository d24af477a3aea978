//! The opening handshake in memory: what a server and a client spend besides IO.
//!
//! `cargo bench -p ws-benches --bench handshake`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ws_handshake::client::{Request, ResponseReader};
use ws_handshake::server::RequestReader;
use ws_handshake::{AcceptKey, Limits, OriginPolicy, Uri};

/// What a Chrome of 2026 sends, 501 bytes.
const BROWSER_REQUEST: &[u8] = b"GET /chat?room=lobby HTTP/1.1\r\n\
    Host: example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

fn handshake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handshake");

    group.bench_function("accept_key", |bencher| {
        bencher.iter(|| AcceptKey::from_key(black_box(b"dGhlIHNhbXBsZSBub25jZQ==")));
    });

    group.bench_function("server/read", |bencher| {
        bencher.iter(|| RequestReader::new(Limits::default()).read(black_box(BROWSER_REQUEST)));
    });

    group.bench_function("server/whole", |bencher| {
        let mut out = Vec::with_capacity(256);
        bencher.iter(|| {
            out.clear();
            let request = RequestReader::new(Limits::default())
                .read(black_box(BROWSER_REQUEST))
                .expect("it is valid")
                .expect("it is complete");
            OriginPolicy::SameHost
                .check(&request)
                .expect("it is the same host");
            request
                .offer()
                .expect("it is a handshake")
                .accept()
                .encode(&mut out);
            black_box(out.len())
        });
    });

    group.bench_function("server/byte_by_byte", |bencher| {
        bencher.iter(|| {
            let mut reader = RequestReader::new(Limits::default());
            (1..=BROWSER_REQUEST.len()).find_map(|end| {
                reader
                    .read(black_box(&BROWSER_REQUEST[..end]))
                    .expect("it is valid")
            })
        });
    });

    group.bench_function("client/whole", |bencher| {
        let uri = Uri::parse("ws://example.com/chat?room=lobby").expect("it is valid");
        bencher.iter(|| {
            let (bytes, expectation) = Request::new(&uri).encode(*black_box(b"the sample nonce"));
            black_box(bytes);
            let response = ResponseReader::new(Limits::default())
                .read(black_box(RESPONSE))
                .expect("it is valid")
                .expect("it is complete");
            expectation.verify(&response).expect("it is the answer")
        });
    });

    group.finish();
}

criterion_group!(benches, handshake);
criterion_main!(benches);
