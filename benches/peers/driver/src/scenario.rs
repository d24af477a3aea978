//! What is sent: the scenarios, by the names that the README beside this package gives them.

use crate::arguments::Arguments;
use crate::contender::Kind;
use crate::memory;
use crate::wire::{Burst, Payload, Random};

/// What the server does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// It sends it back.
    Echo,
    /// The same, with permessage-deflate agreed; the messages are compressed and the replies have to be.
    Deflated,
    /// It sends it to every connection; the first connection publishes, and all of them listen.
    Broadcast,
    /// There are no messages: a connection comes, shakes hands, and leaves.
    Arrivals,
    /// It is a client: it sends, and is sent everything back.
    Client,
}

impl Pattern {
    /// In the order of the report.
    pub const ALL: [Self; 5] = [
        Self::Echo,
        Self::Deflated,
        Self::Arrivals,
        Self::Broadcast,
        Self::Client,
    ];

    /// The names of its scenarios that are to run.
    pub fn wanted(self, arguments: &Arguments) -> impl Iterator<Item = &'static str> {
        let timed = ALL.iter().filter(move |scenario| scenario.pattern == self);
        timed
            .map(|scenario| scenario.name)
            .chain((self == Self::Echo).then_some(memory::NAME))
            .filter(|name| arguments.wants(name))
    }
}

pub struct Scenario {
    pub name: &'static str,
    pub description: &'static str,
    pub pattern: Pattern,
    pub connections: usize,
    /// Messages sent at once on a connection; the next burst leaves when all of them have come back.
    pub depth: usize,
    pub payload_len: usize,
    payload: Payload,
}

pub const ALL: &[Scenario] = &[
    scenario(
        "S1",
        "125 B binary, 64 connections, depth 1",
        64,
        1,
        125,
        Payload::Binary,
    ),
    scenario(
        "S2",
        "125 B binary, 64 connections, bursts of 16",
        64,
        16,
        125,
        Payload::Binary,
    ),
    scenario(
        "S3",
        "4 KiB binary, 64 connections, bursts of 4",
        64,
        4,
        4096,
        Payload::Binary,
    ),
    scenario(
        "S4",
        "64 KiB binary, 16 connections, bursts of 2",
        16,
        2,
        65_536,
        Payload::Binary,
    ),
    scenario(
        "S5",
        "1 MiB binary, 4 connections, bursts of 2",
        4,
        2,
        1 << 20,
        Payload::Binary,
    ),
    scenario(
        "S6",
        "4 KiB Chinese text, 64 connections, bursts of 4",
        64,
        4,
        4096,
        Payload::Chinese,
    ),
    scenario(
        "S7",
        "20 KiB binary, 1 connection, depth 1",
        1,
        1,
        20 * 1024,
        Payload::Binary,
    ),
    Scenario {
        pattern: Pattern::Deflated,
        ..scenario(
            "S8a",
            "1 KiB of JSON, compressed, 64 connections, depth 1",
            64,
            1,
            1024,
            Payload::Quotes,
        )
    },
    Scenario {
        pattern: Pattern::Deflated,
        ..scenario(
            "S8b",
            "1 KiB of JSON, compressed, 64 connections, bursts of 16",
            64,
            16,
            1024,
            Payload::Quotes,
        )
    },
    Scenario {
        pattern: Pattern::Arrivals,
        ..scenario(
            "S10",
            "connect, opening handshake, closing handshake, 16 connections at a time",
            16,
            1,
            0,
            Payload::Binary,
        )
    },
    Scenario {
        name: "S11",
        description: "125 B binary from one connection to 1,000",
        pattern: Pattern::Broadcast,
        connections: 1000,
        depth: 1,
        payload_len: 125,
        payload: Payload::Binary,
    },
    Scenario {
        pattern: Pattern::Client,
        ..scenario(
            "S12",
            "clients: 125 B binary, 1 connection, bursts of 16",
            1,
            16,
            125,
            Payload::Binary,
        )
    },
];

const fn scenario(
    name: &'static str,
    description: &'static str,
    connections: usize,
    depth: usize,
    payload_len: usize,
    payload: Payload,
) -> Scenario {
    Scenario {
        name,
        description,
        pattern: Pattern::Echo,
        connections,
        depth,
        payload_len,
        payload,
    }
}

impl Scenario {
    /// The opcode and the contents of one message.
    pub fn message(&self, random: &mut Random) -> (u8, Vec<u8>) {
        self.payload.message(random, self.payload_len)
    }

    pub fn burst(&self, kind: Kind) -> Burst {
        Burst::messages(
            kind,
            self.pattern,
            self.payload,
            self.payload_len,
            self.depth,
        )
    }
}
