//! Masking: bytes per second by length and by how far the data is from a cache line's start.
//!
//! `cargo bench -p ws-benches --bench mask`
//!
//! The data goes round a buffer of 16 KiB, as payloads do in a receive buffer: masked over and
//! over in the same place, short data would measure how a CPU handles loads that span two stores
//! it has not finished. `fill`, `copy` and `byte loop` are the limits: the same stores without a
//! key, of `mask into` without a key, and the rule of RFC 6455 section 5.3 as it is written. Other
//! libraries' functions are compared in `peers/kernels`.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ws_frame::MaskKey;

const LENS: [usize; 10] = [16, 64, 125, 256, 512, 1024, 4096, 16_384, 65_536, 1 << 20];
const OFFSETS: [usize; 4] = [0, 1, 2, 3];
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const RING: usize = 16_384;

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
        let last = first + (places - 1) * stride;
        Self {
            bytes,
            first,
            last,
            stride,
            len,
            next: first,
        }
    }

    fn next(&mut self) -> &mut [u8] {
        let from = self.next;
        self.next = if from == self.last {
            self.first
        } else {
            from + self.stride
        };
        &mut self.bytes[from..from + self.len]
    }
}

fn mask(c: &mut Criterion) {
    for offset in OFFSETS {
        compare(c, &format!("mask/offset {offset}"), offset, |data| {
            MaskKey::new(black_box(KEY)).apply(black_box(0), data);
        });
    }
    let source = vec![0x5a; 1 << 20];
    for offset in OFFSETS {
        compare(c, &format!("mask into/offset {offset}"), offset, |data| {
            MaskKey::new(black_box(KEY)).apply_into(black_box(0), black_box(&source), data);
        });
    }
    for offset in OFFSETS {
        compare(c, &format!("fill/offset {offset}"), offset, |data| {
            data.fill(black_box(0x5a))
        });
    }
    for offset in OFFSETS {
        compare(c, &format!("copy/offset {offset}"), offset, |data| {
            let source = &black_box(&source)[..data.len()];
            data.copy_from_slice(source);
        });
    }
    compare(c, "byte loop/offset 0", 0, |data| {
        let key = black_box(KEY);
        for (index, byte) in data.iter_mut().enumerate() {
            *byte ^= key[index % 4];
        }
    });
}

fn compare(c: &mut Criterion, name: &str, offset: usize, mut work: impl FnMut(&mut [u8])) {
    let mut group = c.benchmark_group(name);
    for len in LENS {
        let mut ring = Ring::new(len, offset);
        group.throughput(Throughput::BytesDecimal(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |b| {
            b.iter(|| work(black_box(ring.next())));
        });
    }
    group.finish();
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(30)
}

criterion_group!(name = benches; config = config(); targets = mask);
criterion_main!(benches);
