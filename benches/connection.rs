//! Time to decode a masked frame and to encode its echo, in memory, per message.
//!
//! `cargo bench -p ws-benches --bench connection`

mod echo;
mod frames;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn connection(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("connection");
    for case in &echo::CASES {
        let frames = case.frames_per_read;
        // One element is one message: criterion's "elem/s" is messages per second.
        group.throughput(Throughput::Elements(frames as u64));
        let id = BenchmarkId::new(case.name, format!("{frames} per read"));
        let mut server = case.server();
        group.bench_function(id, |bencher| bencher.iter(|| black_box(server.turn())));
    }
    group.finish();
}

criterion_group!(benches, connection);
criterion_main!(benches);
