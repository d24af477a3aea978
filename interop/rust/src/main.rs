//! Our end of the checks against other people's clients and servers, once over each binding.
//!
//! `ws-interop server sync|async` listens on a free port of the loopback and echoes; a client may
//! also ask it to do something first (see [`Command`]). `ws-interop client sync|async URL` does to
//! somebody else's server what an echo server cannot do by itself: it pings, closes, is closed and
//! asks for subprotocols and for compression. It ends with the number of its checks.

#![forbid(unsafe_code)]

mod deflate;
mod over_async;
mod over_sync;
mod wire;

use std::error::Error;
use std::fmt::Debug;
use std::process::ExitCode;

use ws_sync::{CloseCode, CloseInfo, Initiator};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the server speaks, the preferred one first.
const SUBPROTOCOLS: [&str; 2] = ["chat.v2", "chat.v1"];
/// What the client offers, and what every peer speaks.
const OFFERED: &str = "chat.v1";

const TEXTS: [&str; 4] = ["hello", "", "中文往返", "🦀 κόσμε"];
const BINARY_SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
const PING_SIZES: [usize; 3] = [0, 1, 125];
const CLOSES: [(u16, &str); 6] = [
    (1000, ""),
    (1001, "going"),
    (1011, "策略"),
    (3000, "library"),
    (4000, ""),
    (4999, "private, and a reason of some length"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut checks = Checks::default();
    let result = match arguments.as_slice() {
        ["server", "sync"] => over_sync::serve(),
        ["server", "async"] => over_async::serve(),
        ["client", "sync", url] => over_sync::check(url, &mut checks),
        ["client", "async", url] => over_async::check(url, &mut checks),
        _ => Err("usage: ws-interop server sync|async | client sync|async URL".into()),
    };
    if let Err(error) = result {
        checks.failures.push(error.to_string());
    }
    checks.finish()
}

/// A text message that asks the server for more than its echo.
enum Command<'a> {
    /// `!ping`: ping me, and tell me when the Pong has come.
    Ping,
    /// `!close 1001 going`: close with this code and reason.
    Close(CloseCode, &'a str),
    /// `!subprotocol`: what have we agreed on?
    Subprotocol,
    /// `!deflate`: what have we agreed on?
    Agreed,
    /// `!wire`: how were the messages on the wire, since I asked for the last time?
    Wire,
    Echo,
}

/// What the server's Ping carries, and with it the Pong.
const PING_DATA: &[u8] = b"from ws-interop";
/// What the server says when that Pong has come.
const PONG_SEEN: &str = "pong";

impl<'a> Command<'a> {
    fn parse(text: &'a str) -> Self {
        if let Some(arguments) = text.strip_prefix("!close ") {
            let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
            return match code.parse() {
                Ok(code) => Self::Close(CloseCode::new(code), reason),
                Err(_) => Self::Echo,
            };
        }
        match text {
            "!ping" => Self::Ping,
            "!subprotocol" => Self::Subprotocol,
            "!deflate" => Self::Agreed,
            "!wire" => Self::Wire,
            _ => Self::Echo,
        }
    }
}

/// What was compared, and what differed.
#[derive(Default)]
struct Checks {
    count: usize,
    failures: Vec<String>,
}

impl Checks {
    fn equal<T: PartialEq + Debug + ?Sized>(&mut self, what: &str, found: &T, expected: &T) {
        self.count += 1;
        if found != expected {
            // A megabyte in a log helps nobody.
            let shorten = |value: &T| format!("{value:?}").chars().take(200).collect::<String>();
            let (found, expected) = (shorten(found), shorten(expected));
            self.failures
                .push(format!("{what}: {found}, and not {expected}"));
        }
    }

    /// The peer closed with this code and reason, and both ends agree that it was clean.
    fn closed(&mut self, info: &CloseInfo, initiator: Initiator, code: u16, reason: &str) {
        let what = format!("Close {code}");
        self.equal(&what, &info.code().get(), &code);
        self.equal(&what, &info.reason(), &reason);
        self.equal(&what, &info.initiator, &initiator);
        self.equal(&what, &info.clean, &true);
    }

    fn finish(&self) -> ExitCode {
        for failure in &self.failures {
            println!("FAILED {failure}");
        }
        let failed = self.failures.len();
        println!(
            "{} checks passed, {failed} failed",
            self.count.saturating_sub(failed)
        );
        if failed == 0 && self.count > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Bytes in which no two neighbours and no two masking phases look alike.
fn payload(size: usize) -> Vec<u8> {
    let byte = |i: usize| (i % 65_536 * 31 + ((i % 65_536) >> 8) * 7 + 5).to_le_bytes()[0];
    (0..size).map(byte).collect()
}
