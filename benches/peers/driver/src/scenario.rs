//! What is sent: the scenarios, by the names the project's performance targets use.

use crate::contender::Kind;
use crate::wire::{Burst, Payload};

pub struct Scenario {
    pub name: &'static str,
    pub description: &'static str,
    pub connections: usize,
    /// Messages sent at once on a connection; the next burst leaves when all of them have come back.
    depth: usize,
    payload_len: usize,
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
        connections,
        depth,
        payload_len,
        payload,
    }
}

impl Scenario {
    pub fn burst(&self, kind: Kind) -> Burst {
        Burst::messages(kind, self.payload, self.payload_len, self.depth)
    }
}
