//! The frame header: nanoseconds to read one and to write one, by the form of its length.
//!
//! `cargo bench -p ws-benches --bench header`

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ws_frame::{FrameHeader, MaskKey, Opcode, Rsv};

const HEADERS: [(&str, u64, bool); 6] = [
    ("7 bits, masked", 125, true),
    ("16 bits, masked", 4096, true),
    ("64 bits, masked", 65_536, true),
    ("7 bits", 125, false),
    ("16 bits", 4096, false),
    ("64 bits", 65_536, false),
];

fn header(c: &mut Criterion) {
    let mut parse = c.benchmark_group("header/parse");
    for (name, payload_len, masked) in HEADERS {
        // The payload's first bytes stand behind the header, as they do in a receive buffer.
        let mut wire = new(payload_len, masked).to_bytes().to_vec();
        wire.resize(32, 0);
        parse.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| FrameHeader::parse(black_box(&wire)));
        });
    }
    parse.finish();

    let mut encode = c.benchmark_group("header/append");
    let mut out = Vec::with_capacity(64);
    for (name, payload_len, masked) in HEADERS {
        let header = new(payload_len, masked);
        encode.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                out.clear();
                out.extend_from_slice(&black_box(&header).to_bytes());
                black_box(out.len())
            });
        });
    }
    encode.finish();
}

fn new(payload_len: u64, masked: bool) -> FrameHeader {
    FrameHeader {
        fin: true,
        rsv: Rsv::NONE,
        opcode: Opcode::Binary,
        mask: masked.then_some(MaskKey::new([0x37, 0xfa, 0x21, 0x3d])),
        payload_len,
    }
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
}

criterion_group!(name = benches; config = config(); targets = header);
criterion_main!(benches);
