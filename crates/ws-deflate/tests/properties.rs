//! Whatever is sent and agreed comes back, and however a message is cut it means the same.

use flate2::{Compress as Peer, Compression, Decompress, FlushCompress, FlushDecompress};
use proptest::prelude::*;
use ws_deflate::{
    Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, InflateError, Inflated,
    Level, Piece, Terms, WindowBits,
};

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What messages are made of.
#[derive(Clone, Copy, Debug)]
enum Corpus {
    Json,
    Random,
    /// A period, which is also the distance of what refers back.
    Repeated(u16),
    /// Few different bytes: long matches, and many of them.
    Letters,
}

impl Corpus {
    fn plain(self, seed: u64, len: usize) -> Vec<u8> {
        let mut x = seed | 1;
        let mut random = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        let mut plain = Vec::with_capacity(len + 80);
        while plain.len() < len {
            let number = random();
            match self {
                Self::Json => plain.extend_from_slice(
                    format!(
                        r#"{{"symbol":"{}","price":{}.{:02},"size":{}}},"#,
                        ["ACME", "GLOBEX", "INITECH"][number as usize % 3],
                        number >> 8 & 0x3ff,
                        number >> 20 & 63,
                        number >> 30 & 0xff,
                    )
                    .as_bytes(),
                ),
                Self::Random => plain.extend_from_slice(&number.to_le_bytes()),
                Self::Repeated(period) => match plain.len().checked_sub(usize::from(period).max(1))
                {
                    Some(from) => plain.push(plain[from]),
                    None => plain.push(number as u8),
                },
                Self::Letters => plain.push(b'a' + (number >> 40 & 1) as u8),
            }
        }
        plain.truncate(len);
        plain
    }
}

fn corpus() -> impl Strategy<Value = Corpus> {
    prop_oneof![
        Just(Corpus::Json),
        Just(Corpus::Random),
        (1..9000_u16).prop_map(Corpus::Repeated),
        Just(Corpus::Letters),
    ]
}

fn context() -> impl Strategy<Value = Context> {
    (any::<bool>(), 8..=15_u8).prop_map(|(takeover, bits)| Context {
        takeover,
        window: WindowBits::new(bits).expect("8 to 15"),
    })
}

fn config() -> impl Strategy<Value = DeflateConfig> {
    let presets = prop_oneof![
        Just(DeflateConfig::default()),
        Just(DeflateConfig::ultra()),
        Just(DeflateConfig::tiny()),
        Just(DeflateConfig::default().with_terms(Terms::default())),
    ];
    let history = prop_oneof![Just(0), Just(2048), Just(usize::MAX)];
    (presets, 1..=7_u8, history, 0..200_usize, 0..3_usize).prop_map(
        |(preset, level, history, min_len, live_contexts)| {
            preset
                .with_level(Level::new(level).expect("1 to 7"))
                .with_history(history)
                .with_min_len(min_len)
                .with_live_contexts(live_contexts)
        },
    )
}

/// A message, and how it is sent.
#[derive(Clone, Debug)]
struct Sent {
    plain: Vec<u8>,
    compress: Compress,
    is_text: bool,
    /// How much goes into each piece.
    piece: usize,
    /// Who sends it, of two that share the codecs.
    by_rival: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    let compress = prop_oneof![
        3 => Just(Compress::Auto),
        3 => Just(Compress::Always),
        1 => Just(Compress::Never),
    ];
    let len = prop_oneof![Just(0), 1..40_usize, 0..3000_usize, 0..70_000_usize];
    let piece = prop_oneof![Just(usize::MAX), 1..5000_usize];
    (
        corpus(),
        any::<u64>(),
        len,
        compress,
        any::<(bool, bool)>(),
        piece,
    )
        .prop_map(
            |(corpus, seed, len, compress, (is_text, by_rival), piece)| Sent {
                // In no more than some hundred pieces.
                piece: piece.max(len / 200),
                plain: corpus.plain(seed, len),
                compress,
                is_text,
                by_rival,
            },
        )
}

/// One end of a connection, and what reads it: ours, and somebody else's.
struct Direction {
    takeover: bool,
    compressor: Compressor,
    decompressor: Decompressor,
    other: Decompress,
}

impl Direction {
    fn new(context: Context, deflate: &Deflate) -> Self {
        Self {
            takeover: context.takeover,
            compressor: Compressor::new(context, deflate),
            decompressor: Decompressor::new(context, deflate),
            other: Decompress::new(false),
        }
    }

    fn pass(&mut self, sent: &Sent, cuts: &[usize]) {
        let mut payload = Vec::new();
        let pieces = sent.plain.len().div_ceil(sent.piece).max(1);
        for at in 0..pieces {
            let rest = &sent.plain[at * sent.piece.min(sent.plain.len())..];
            let piece = Piece {
                plain: &rest[..sent.piece.min(rest.len())],
                is_text: sent.is_text,
                is_first: at == 0,
                is_last: at + 1 == pieces,
            };
            match self.compressor.compress(piece, sent.compress) {
                Some(compressed) => payload.extend_from_slice(&compressed),
                None => {
                    assert!(at == 0 && sent.compress != Compress::Always);
                    return;
                }
            }
        }
        assert_ne!(sent.compress, Compress::Never);
        assert!(payload.len() <= sent.plain.len() + sent.plain.len() / 8 + 16 * pieces + 600);
        let (plain, verdict) = read(&mut self.decompressor, &payload, cuts);
        assert_eq!(verdict, Ok(()));
        assert!(plain == sent.plain);

        if !self.takeover {
            self.other.reset(false);
        }
        payload.extend_from_slice(&TAIL);
        let mut plain = Vec::with_capacity(sent.plain.len() + 1);
        self.other
            .decompress_vec(&payload, &mut plain, FlushDecompress::Sync)
            .expect("good");
        assert!(plain == sent.plain);
    }
}

/// Reads a message cut into pieces of these sizes, again and again; what came out of it, and what came of it.
fn read(
    decompressor: &mut Decompressor,
    payload: &[u8],
    cuts: &[usize],
) -> (Vec<u8>, Result<(), InflateError>) {
    let mut plain = Vec::new();
    let mut rest = payload;
    let mut cuts = cuts.iter().cycle();
    loop {
        let cut = cuts.next().map_or(rest.len(), |cut| *cut);
        let (mut piece, behind) = rest.split_at_checked(cut).unwrap_or((rest, &[]));
        rest = behind;
        loop {
            match decompressor.inflate(&mut piece, rest.is_empty()) {
                Ok(Inflated::Output(output)) => plain.extend_from_slice(output),
                Ok(Inflated::NeedInput) => break,
                Ok(Inflated::Done) => return (plain, Ok(())),
                Err(error) => return (plain, Err(error)),
            }
        }
    }
}

/// What a peer may make a message of.
#[derive(Clone, Debug)]
enum Part {
    /// Compressed and flushed, by whatever means there are: at level 0 in stored blocks.
    Flushed(Corpus, u64, usize, u32),
    /// The same, ending with a block that is marked as the last one.
    Last(Corpus, u64, usize, u32),
    /// An empty stored block, with all of it there.
    Empty,
    /// Bytes that mean something or nothing.
    Bytes(Vec<u8>),
}

impl Part {
    fn write(&self, payload: &mut Vec<u8>) {
        let (plain, level, flush) = match self {
            Self::Flushed(corpus, seed, len, level) => {
                (corpus.plain(*seed, *len), *level, FlushCompress::Sync)
            }
            Self::Last(corpus, seed, len, level) => {
                (corpus.plain(*seed, *len), *level, FlushCompress::Finish)
            }
            Self::Empty => return payload.extend_from_slice(&[0, 0, 0, 0xff, 0xff]),
            Self::Bytes(bytes) => return payload.extend_from_slice(bytes),
        };
        let mut written = Vec::with_capacity(plain.len() * 2 + 64);
        Peer::new(Compression::new(level), false)
            .compress_vec(&plain, &mut written, flush)
            .expect("good");
        payload.extend_from_slice(&written);
    }
}

fn part() -> impl Strategy<Value = Part> {
    let plain = || (corpus(), any::<u64>(), 0..3000_usize, 0..=9_u32);
    prop_oneof![
        4 => plain().prop_map(|(corpus, seed, len, level)| Part::Flushed(corpus, seed, len, level)),
        2 => plain().prop_map(|(corpus, seed, len, level)| Part::Last(corpus, seed, len, level)),
        1 => Just(Part::Empty),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Part::Bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// spec: PA-04, PA-06, PA-09, PA-16, PA-20, PA-21
    #[test]
    fn what_is_sent_comes_back_whatever_is_agreed(
        context in context(),
        config in config(),
        messages in prop::collection::vec(sent(), 1..6),
        cuts in prop::collection::vec(1..3000_usize, 0..5),
    ) {
        let deflate = Deflate::new(config);
        let mut directions = [Direction::new(context, &deflate), Direction::new(context, &deflate)];
        for message in &messages {
            directions[usize::from(message.by_rival)].pass(message, &cuts);
        }
    }

    /// spec: PA-05, PA-06, PA-07, PA-13, PA-15, PA-18
    #[test]
    fn a_message_means_the_same_however_it_is_cut(
        context in context(),
        messages in prop::collection::vec(
            (
                prop::collection::vec(part(), 1..5),
                prop_oneof![6 => Just(4), 1 => 0..9_usize],
                any::<prop::sample::Index>(),
                0..40_u8,
            ),
            1..5,
        ),
        cuts in prop::collection::vec(1..300_usize, 1..5),
        holds: bool,
    ) {
        let deflate = Deflate::default();
        let mut whole = Decompressor::new(context, &deflate);
        let mut cut = Decompressor::new(context, &deflate);
        let mut single = Decompressor::new(context, &deflate);
        for (parts, missing, at, bit) in messages {
            let mut payload = Vec::new();
            for part in &parts {
                part.write(&mut payload);
            }
            // Usually what a sender leaves out, sometimes a little more or less.
            let missing = match parts.last() {
                Some(Part::Last(..)) => missing.saturating_sub(4),
                _ => missing,
            };
            payload.truncate(payload.len().saturating_sub(missing));
            if bit < 8 && !payload.is_empty() {
                let at = at.index(payload.len());
                payload[at] ^= 1 << bit;
            }
            let (plain, verdict) = read(&mut whole, &payload, &[]);
            if !holds {
                cut.hold_nothing();
            }
            prop_assert_eq!(read(&mut cut, &payload, &cuts), (plain.clone(), verdict));
            prop_assert_eq!(read(&mut single, &payload, &[1]), (plain, verdict));
        }
    }
}
