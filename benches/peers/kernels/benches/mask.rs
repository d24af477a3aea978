//! Masking, ours and the peers': bytes per second by length and by how far the data is from a cache line's start.
//!
//! `cargo bench -p peers-kernels`, in this workspace. `cargo bench -p peers-kernels -- 'mask/offset 0/4096'` is all
//! functions at one length.
//!
//! `memset` and `memcpy` are the limits: the same stores without a key, and a copy to where they go. `byte loop` is the
//! rule of RFC 6455 section 5.3 as it is written, and what web-socket does.
//!
//! tungstenite's, tokio-websockets' and wtx's functions are private, and cannot be called. Two loops stand in for them: `words`
//! is tungstenite's way, in safe code, and `chunks of 16` is wtx's loop as it is compiled for SSE2 or NEON; with AVX2 or
//! AVX-512 among the compiler's target features its chunks have 32 or 64 bytes. tokio-websockets' way has no stand-in: it is
//! the CPU's vector instructions, by unsafe code.
//!
//! The data goes round a buffer of 16 KiB, as payloads do in a receive buffer: masked over and over in the same place,
//! short data would measure how a CPU handles loads that span two stores it has not finished.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use soketto::base::{Codec, Header, OpCode};
use ws_frame::MaskKey;

const LENS: [usize; 9] = [16, 64, 125, 256, 1024, 4096, 16_384, 65_536, 1 << 20];
const OFFSETS: [usize; 4] = [0, 1, 2, 3];
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const RING: usize = 16_384;

/// What masks `data` in its place; `source` is as long, and for `memcpy` alone.
type Function = fn(data: &mut [u8], source: &[u8]);

const FUNCTIONS: [(&str, Function); 10] = [
    ("memset", |data, _| data.fill(black_box(0x5a))),
    ("memcpy", |data, source| data.copy_from_slice(source)),
    ("byte loop", |data, _| byte_loop(data, black_box(KEY))),
    ("words", |data, _| words(data, black_box(KEY))),
    ("chunks of 16", |data, _| {
        chunks_of_16(data, black_box(KEY));
    }),
    ("ws-frame", |data, _| {
        MaskKey::new(black_box(KEY)).apply(black_box(0), data);
    }),
    ("fastwebsockets", |data, _| {
        fastwebsockets::unmask(data, black_box(KEY));
    }),
    ("yawc", |data, _| {
        yawc::mask::apply_mask(data, black_box(KEY))
    }),
    ("sockudo-ws", |data, _| {
        sockudo_ws::simd::apply_mask(data, black_box(KEY));
    }),
    ("soketto", |data, _| {
        let mut header = Header::new(OpCode::Binary);
        header.set_masked(true);
        header.set_mask(u32::from_be_bytes(black_box(KEY)));
        Codec::apply_mask(&header, data);
    }),
];

/// Those that mask: all but the limits.
fn maskers() -> impl Iterator<Item = &'static (&'static str, Function)> {
    FUNCTIONS
        .iter()
        .filter(|(name, _)| !matches!(*name, "memset" | "memcpy"))
}

fn byte_loop(data: &mut [u8], key: [u8; 4]) {
    for (index, byte) in data.iter_mut().enumerate() {
        *byte ^= key[index % 4];
    }
}

fn words(data: &mut [u8], key: [u8; 4]) {
    let (words, rest) = data.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    byte_loop(rest, key);
}

fn chunks_of_16(data: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let key = [a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d];
    let (chunks, rest) = data.as_chunks_mut::<16>();
    for chunk in chunks {
        for (byte, of_key) in chunk.iter_mut().zip(&key) {
            *byte ^= of_key;
        }
    }
    for (byte, of_key) in rest.iter_mut().zip(&key) {
        *byte ^= of_key;
    }
}

/// Places for data of one length and offset, used in turn.
struct Ring {
    bytes: Vec<u8>,
    first: usize,
    last: usize,
    stride: usize,
    len: usize,
    next: usize,
}

impl Ring {
    fn new(len: usize, offset: usize) -> Self {
        let stride = (len + offset).next_multiple_of(64);
        let places = (RING / stride).max(1);
        let bytes = vec![0x5a; stride * places + 64];
        let first = bytes.as_ptr().align_offset(64) + offset;
        Self {
            first,
            last: first + (places - 1) * stride,
            stride,
            len,
            next: first,
            bytes,
        }
    }

    fn next(&mut self) -> &mut [u8] {
        let from = self.next;
        self.next = match from == self.last {
            true => self.first,
            false => from + self.stride,
        };
        &mut self.bytes[from..from + self.len]
    }
}

/// Nobody is timed who masks wrongly.
fn compare_with_the_rule() {
    let plain: Vec<u8> = (0..300_u32).map(|index| (index * 31) as u8).collect();
    for from in OFFSETS {
        for to in from..plain.len() {
            let mut expected = plain[from..to].to_vec();
            byte_loop(&mut expected, KEY);
            for (name, function) in maskers() {
                let mut masked = plain.clone();
                function(&mut masked[from..to], &[]);
                assert_eq!(masked[from..to], expected, "{name}, {} B", to - from);
            }
        }
    }
}

fn mask(criterion: &mut Criterion) {
    compare_with_the_rule();
    let source = vec![0x5a; 1 << 20];
    for offset in OFFSETS {
        for len in LENS {
            let mut group = criterion.benchmark_group(format!("mask/offset {offset}/{len}"));
            group.throughput(Throughput::BytesDecimal(len as u64));
            for (name, function) in FUNCTIONS {
                let mut ring = Ring::new(len, offset);
                group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                    bencher.iter(|| function(black_box(ring.next()), black_box(&source[..len])));
                });
            }
            group.finish();
        }
    }
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(150))
        .sample_size(20)
}

criterion_group!(name = benches; config = config(); targets = mask);
criterion_main!(benches);
