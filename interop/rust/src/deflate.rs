//! What is asked of permessage-deflate: the parameters of a connection, from either end, and what must then be seen on
//! the wire.

use std::fmt::Write as _;

use ws_sync::handshake::deflate::{Context, WindowBits};
use ws_sync::{Agreement, Compress, Config, DeflateConfig, Message};

use crate::Checks;
use crate::wire::{OnWire, Seen, WireLog};

/// What the server of either end wants, as the query of the URL says it:
/// `deflate&server_no_context_takeover&client_max_window_bits=10`, and no compression without `deflate`.
///
/// Both ends take what they are offered, so that what was asked for is what is agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    deflate: bool,
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: WindowBits,
    client_max_window_bits: WindowBits,
}

impl Wanted {
    /// Reads a query. What else it holds is for somebody else.
    pub(crate) fn parse(query: &str) -> Self {
        let mut wanted = Self::default();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let bits = || value.parse().ok().and_then(WindowBits::new);
            match name {
                "deflate" => wanted.deflate = true,
                "server_no_context_takeover" => wanted.server_no_context_takeover = true,
                "client_no_context_takeover" => wanted.client_no_context_takeover = true,
                "server_max_window_bits" => {
                    wanted.server_max_window_bits = bits().unwrap_or_default();
                }
                "client_max_window_bits" => {
                    wanted.client_max_window_bits = bits().unwrap_or_default();
                }
                _ => {}
            }
        }
        wanted
    }

    /// For a server that accepts nothing but this.
    pub(crate) fn server_config(&self) -> Config {
        let mut deflate = DeflateConfig::default();
        deflate.terms.send_takeover = !self.server_no_context_takeover;
        deflate.terms.send_max_window = self.server_max_window_bits;
        deflate.terms.receive_takeover = !self.client_no_context_takeover;
        deflate.terms.client_max_window_bits = self.client_max_window_bits;
        self.config(deflate)
    }

    /// For a client that offers this.
    fn client_config(&self) -> Config {
        let mut deflate = DeflateConfig::default();
        deflate.terms.send_takeover = !self.client_no_context_takeover;
        deflate.terms.send_max_window = self.client_max_window_bits;
        deflate.terms.receive_takeover = !self.server_no_context_takeover;
        deflate.terms.server_max_window_bits = self.server_max_window_bits;
        self.config(deflate).with_fragment_size(Some(FRAGMENT_SIZE))
    }

    fn config(&self, deflate: DeflateConfig) -> Config {
        match self.deflate {
            true => Config::default().with_deflate(deflate),
            false => Config::default(),
        }
    }
}

/// What was agreed on as JSON, with each of the four parameters by its name; `null` without compression.
pub(crate) fn agreed(agreement: Option<Agreement>) -> String {
    agreement.map_or_else(
        || "null".to_owned(),
        |Agreement { server, client }| {
            format!(
                r#"{{"server_no_context_takeover":{},"client_no_context_takeover":{},"server_max_window_bits":{},"client_max_window_bits":{}}}"#,
                !server.takeover,
                !client.takeover,
                server.window.get(),
                client.window.get(),
            )
        },
    )
}

/// The client's messages are cut into frames of so many bytes.
const FRAGMENT_SIZE: usize = 4096;

/// A connection of our client to somebody else's server.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What is offered, written as the other.
    offered: String,
    /// What the server is asked to want.
    pub wanted: String,
}

/// What either end may leave to the other: nothing, one direction, both.
const NO_TAKEOVER: [&str; 4] = [
    "",
    "&server_no_context_takeover",
    "&client_no_context_takeover",
    "&server_no_context_takeover&client_no_context_takeover",
];

/// Every connection: first those without compression, then each parameter.
pub(crate) fn cases() -> Vec<Case> {
    let case = |offered: String, wanted: String| Case { offered, wanted };
    let bare = || "deflate".to_owned();
    let mut cases = vec![
        case(bare(), String::new()),
        case(String::new(), bare()),
        case(bare(), bare()),
    ];
    for no_takeover in &NO_TAKEOVER[1..] {
        cases.push(case(format!("deflate{no_takeover}"), bare()));
        cases.push(case(bare(), format!("deflate{no_takeover}")));
    }
    for bits in 9..=15 {
        for no_takeover in [NO_TAKEOVER[0], NO_TAKEOVER[3]] {
            cases.push(case(
                format!("deflate&server_max_window_bits={bits}"),
                format!("deflate&client_max_window_bits={bits}{no_takeover}"),
            ));
        }
    }
    cases
}

impl Case {
    pub(crate) fn config(&self) -> Config {
        Wanted::parse(&self.offered).client_config()
    }

    /// What is agreed on, if both ends take what the other wants.
    pub(crate) fn agreement(&self) -> Option<Agreement> {
        let (offered, wanted) = (Wanted::parse(&self.offered), Wanted::parse(&self.wanted));
        (offered.deflate && wanted.deflate).then(|| Agreement {
            server: Context {
                takeover: !(offered.server_no_context_takeover
                    || wanted.server_no_context_takeover),
                window: offered
                    .server_max_window_bits
                    .min(wanted.server_max_window_bits),
            },
            client: Context {
                takeover: !(offered.client_no_context_takeover
                    || wanted.client_no_context_takeover),
                window: wanted.client_max_window_bits,
            },
        })
    }

    /// Compares what was on the wire, after all of [`messages`] and their echoes, with what was agreed on.
    pub(crate) fn judge(&self, log: &WireLog, checks: &mut Checks) {
        let Seen { sent, received } = log.take();
        checks.equal("messages sent", &sent.len(), &messages().len());
        checks.equal("messages received", &received.len(), &messages().len());
        let compressed = |messages: &[OnWire]| messages.iter().map(|m| m.compressed).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = (compressed(&sent), compressed(&received));
        let Some(agreement) = self.agreement() else {
            checks.equal("RSV1 without an agreement", &ours.contains(&true), &false);
            checks.equal("RSV1 without an agreement", &theirs.contains(&true), &false);
            return;
        };
        let expected = [true, true, true, true, false, false, true, true, true];
        checks.equal("RSV1 of what was sent", &*ours, &expected[..]);
        // The libraries here compress whatever they send.
        checks.equal("RSV1 of what was received", &*theirs, &[true; 9][..]);
        if sent.len() != expected.len() || received.len() != expected.len() {
            return;
        }
        judge_repetition(agreement.client, &sent, checks);
        judge_repetition(agreement.server, &received, checks);
        let empty = OnWire {
            compressed: true,
            frames: 1,
            payload: 1,
        };
        checks.equal("an empty message", &sent[2..4], &[empty; 2][..]);
        let OnWire {
            frames, payload, ..
        } = sent[6];
        checks.equal("1 MiB of text is short", &(payload < 1 << 18), &true);
        checks.equal("and in fragments", &(frames > 8), &true);
        let received = received[6].payload;
        checks.equal("its echo is short", &(received < 1 << 18), &true);
    }
}

/// A repeated message is next to nothing with takeover, and as long as the first time without.
fn judge_repetition(agreed: Context, way: &[OnWire], checks: &mut Checks) {
    let [first, again] = [way[0].payload, way[1].payload];
    let [much_later, and_again] = [way[7].payload, way[8].payload];
    if agreed.takeover {
        checks.equal("repeated, it is short", &(again * 4 < first), &true);
        let shorter = and_again * 4 < first;
        checks.equal("repeated later, it is short", &shorter, &true);
    } else {
        let all = [again, much_later, and_again];
        checks.equal("without takeover", &all, &[first; 3]);
    }
}

/// Fits into the smallest window, and is worth being compressed by itself.
const REPEATED: &str = r#"{"type":"quote","symbol":"WSX","bid":"101.25","ask":"101.50","last":"101.37","high":"101.90","low":"100.11","open":"101.02","currency":"EUR"}"#;

/// What is sent on each connection, in this order, and how.
pub(crate) fn messages() -> [(Message, Compress); 9] {
    [
        (Message::text(REPEATED), Compress::Auto),
        (Message::text(REPEATED), Compress::Auto),
        (Message::text(""), Compress::Always),
        (Message::binary(Vec::new()), Compress::Always),
        (Message::binary(noise(16 * 1024)), Compress::Auto),
        (Message::text(REPEATED), Compress::Never),
        (Message::text(quotes(1 << 20)), Compress::Auto),
        (Message::text(REPEATED), Compress::Auto),
        (Message::text(REPEATED), Compress::Auto),
    ]
}

/// Text that compresses well, and in which most of what repeats is near.
fn quotes(size: usize) -> String {
    let mut text = String::with_capacity(size + 64);
    let mut line = 0_u64;
    while text.len() < size {
        let (price, volume) = (line * 7 % 1000, line * 7919 % 100_003);
        _ = writeln!(text, r#"{{"id":{line},"price":{price},"volume":{volume}}}"#);
        line += 1;
    }
    text.truncate(size);
    text
}

/// Bytes that nothing makes shorter.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| byte()).collect()
}
