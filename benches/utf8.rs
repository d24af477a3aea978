//! UTF-8: bytes per second for ASCII and for Chinese text, whole and in chunks, beside the check of
//! the standard library.
//!
//! `cargo bench -p ws-benches --bench utf8`

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ws_frame::{Utf8Validator, str_from_utf8};

const LENS: [usize; 6] = [16, 64, 125, 1024, 4096, 65_536];

/// What one read may bring of a message in many frames.
const CHUNK: usize = 1400;

const TEXTS: [(&str, &str); 2] = [
    (
        "ASCII",
        r#"{"id":1042,"type":"message","room":"general","body":"nothing new here"},"#,
    ),
    (
        "Chinese",
        "网络套接字协议让浏览器和服务器在一条连接上互相发送消息,两边都可以先开口。",
    ),
];

fn utf8(c: &mut Criterion) {
    for (name, sentence) in TEXTS {
        whole(c, &format!("utf8/{name}/whole"), sentence, |text| {
            str_from_utf8(text).is_ok()
        });
        whole(c, &format!("utf8/{name}/fed at once"), sentence, |text| {
            let mut validator = Utf8Validator::new();
            validator.feed(text).is_ok() && validator.finish().is_ok()
        });
        whole(
            c,
            &format!("utf8/{name}/fed by {CHUNK}"),
            sentence,
            |text| {
                let mut validator = Utf8Validator::new();
                text.chunks(CHUNK)
                    .all(|chunk| validator.feed(chunk).is_ok())
                    && validator.finish().is_ok()
            },
        );
        whole(c, &format!("utf8/{name}/core"), sentence, |text| {
            core::str::from_utf8(text).is_ok()
        });
    }
}

fn whole(c: &mut Criterion, name: &str, sentence: &str, check: impl Fn(&[u8]) -> bool) {
    let mut group = c.benchmark_group(name);
    for len in LENS {
        let text = text(sentence, len);
        group.throughput(Throughput::BytesDecimal(text.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |b| {
            b.iter(|| assert!(check(black_box(text.as_bytes()))));
        });
    }
    group.finish();
}

/// As many whole characters of the sentence, repeated, as fit into `len` bytes.
fn text(sentence: &str, len: usize) -> String {
    let mut text = sentence.repeat(len / sentence.len() + 1);
    while text.len() > len {
        text.pop();
    }
    text
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(30)
}

criterion_group!(name = benches; config = config(); targets = utf8);
criterion_main!(benches);
