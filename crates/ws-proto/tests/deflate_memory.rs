//! What compression costs a connection that waits. In a program of its own, for it looks at the memory of the process.
#![cfg(all(feature = "deflate", target_os = "linux"))]

use std::env;
use std::process::Command;

use bytes::Buf;
use ws_deflate::{ClientWindow, Compressor, Deflate, Offer, Piece};
use ws_proto::{Agreement, Compress, Config, Connection, DeflateConfig, Message};
use ws_testkit::blocks::stored;
use ws_testkit::{Frame, Prng, resident_memory, vectors};

/// The more there are the less it matters what was given back in the beginning.
const MANY: usize = 1000;
/// Of those that take much time and memory.
const SOME: usize = 250;
/// As many as may keep a compressor of their own, and more: what all share is there before anything is measured.
const FIRST: usize = 20;
/// Configurations whose connections have all ended.
const ENDED: usize = 20;

/// A preset, and what it agrees on with a client that offers what browsers do.
struct Case {
    config: DeflateConfig,
    agreed: Agreement,
    /// Both ends are in this process: the client's codecs are to take their memory once.
    client: Deflate,
}

impl Case {
    fn new(config: DeflateConfig) -> Self {
        let offer = Offer {
            client_max_window_bits: ClientWindow::Limitable,
            ..Offer::default()
        };
        let answer = config.terms.accept([offer].into_iter());
        let agreed = answer.expect("it is accepted").agreement();
        Self {
            config,
            agreed,
            client: Deflate::default(),
        }
    }

    fn server(&self, deflate: &Deflate) -> Connection {
        let config = Config::default()
            .with_deflate(deflate.clone())
            .with_agreed(Some(self.agreed));
        Connection::server(config)
    }

    /// What the client makes of a text.
    fn compressed(&self, text: &str) -> Vec<u8> {
        let piece = Piece {
            plain: text.as_bytes(),
            is_text: true,
            is_first: true,
            is_last: true,
        };
        Compressor::new(self.agreed.client, &self.client)
            .compress(piece, Compress::Always)
            .expect("always")
    }

    /// Bytes for each connection that was put to this use, beyond what one costs where nothing was agreed.
    fn cost(&self, count: usize, put_to_use: &dyn Fn(&mut Connection)) -> usize {
        let deflate = Deflate::new(self.config.clone());
        let full = self.exchange(32 * 1024);
        let mut connections = Vec::with_capacity(count + FIRST);
        let mut before = 0;
        for at in 0..count + FIRST {
            let mut server = self.server(&deflate);
            if at < FIRST {
                full(&mut server);
            } else {
                put_to_use(&mut server);
            }
            connections.push(server);
            if at + 1 == FIRST {
                before = resident_memory();
            }
        }
        // The vector's own pages are among what was taken.
        (resident_memory().saturating_sub(before) / count).saturating_sub(size_of::<Connection>())
    }

    /// Bytes that are kept of one connection that was used and has ended.
    fn kept(&self) -> usize {
        let full = self.exchange(32 * 1024);
        let mut ended = Vec::new();
        let mut before = 0;
        for at in 0..=ENDED {
            let deflate = Deflate::new(self.config.clone());
            full(&mut self.server(&deflate));
            ended.push(deflate);
            if at == 0 {
                before = resident_memory();
            }
        }
        resident_memory().saturating_sub(before) / ENDED
    }

    /// So many bytes of JSON each way.
    fn exchange(&self, len: usize) -> impl Fn(&mut Connection) {
        let text = json(len);
        let frame = Frame::text(self.compressed(&text));
        move |server| {
            server
                .send_with(Message::text(text.as_str()), Compress::Always)
                .expect("it is sent");
            let len = server.transmit().remaining();
            server.transmit().advance(len);
            receive(server, frame.clone());
        }
    }
}

/// Quotes.
fn json(len: usize) -> String {
    let mut prng = Prng::new(7692);
    let mut text = String::from("[");
    while text.len() < len {
        let mut below = |limit| prng.below(limit);
        text.push_str(&format!(
            r#"{{"symbol":"{}","price":{}.{:02},"volume":{},"time":17{:08}}},"#,
            ["ACME", "GLOBEX", "INITECH", "UMBRELLA"][below(4)],
            below(900),
            below(100),
            below(100_000),
            below(100_000_000),
        ));
    }
    text.truncate(len);
    text
}

/// The peer stops in the middle of a message.
fn stall(server: &mut Connection) {
    receive(server, Frame::text(stored(&[b'a'; 4000])).not_fin());
}

fn receive(server: &mut Connection, frame: Frame) {
    let frame = frame.with_rsv(0b100).masked(vectors::KEY).bytes();
    server.receive_buffer().extend_from_slice(&frame);
    while server.poll_event().expect("good").is_some() {}
    server.park();
}

/// What is measured, in this order.
const USES: [&str; 5] = ["idle", "1 KiB", "32 KiB", "stalled", "ended"];

/// What the presets may cost, in bytes: two boxes and nothing in them; what was sent and received, as far as it is kept;
/// what has come of a message, and no codec; a compressor and a decompressor.
const LIMITS: [(&str, [usize; 5]); 3] = [
    ("default", [600, 600 + 2048, 7_500, 600 + 4096, 290_000]),
    ("ultra", [600, 600 + 2048, 60_000, 600 + 4096, 410_000]),
    ("tiny", [600, 600, 600, 600 + 4096, 290_000]),
];

fn measure(preset: &str, put_to_use: &str) -> usize {
    let case = Case::new(match preset {
        "ultra" => DeflateConfig::ultra(),
        "tiny" => DeflateConfig::tiny(),
        _ => DeflateConfig::default(),
    });
    match put_to_use {
        "1 KiB" => case.cost(MANY, &case.exchange(1024)),
        "32 KiB" => case.cost(SOME, &case.exchange(32 * 1024)),
        "stalled" => case.cost(MANY, &stall),
        "ended" => case.kept(),
        _ => case.cost(MANY, &|_| {}),
    }
}

/// Says what is to be measured, to a process that has done nothing else: what was given back would be taken again unseen.
const ORDER: &str = "WS_DEFLATE_MEMORY";

/// `cargo test -p ws-proto --test deflate_memory -- --nocapture` prints what the documentation of the presets says.
///
/// spec: PM-05, PM-02
#[test]
fn compression_costs_what_was_said_and_kept_to_refer_to() {
    if let Ok(order) = env::var(ORDER) {
        let (preset, put_to_use) = order.split_once(' ').expect("two words");
        println!("{ORDER}={}", measure(preset, put_to_use));
        return;
    }
    println!("bytes: {}", USES.join(", "));
    for (preset, limits) in LIMITS {
        let measured = USES.map(|put_to_use| in_its_own_process(preset, put_to_use));
        println!("{preset}: {measured:?}");
        for ((measured, limit), put_to_use) in measured.into_iter().zip(limits).zip(USES) {
            assert!(
                measured <= limit,
                "{preset}, {put_to_use}: {measured} bytes, not {limit}"
            );
        }
    }
}

fn in_its_own_process(preset: &str, put_to_use: &str) -> usize {
    let output = Command::new(env::current_exe().expect("this program"))
        .arg("--nocapture")
        .env(ORDER, format!("{preset} {put_to_use}"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let number = said
        .split_whitespace()
        .find_map(|word| word.strip_prefix(ORDER)?.strip_prefix('='));
    let measured = number.and_then(|number| number.parse().ok());
    measured.unwrap_or_else(|| panic!("{said}"))
}
