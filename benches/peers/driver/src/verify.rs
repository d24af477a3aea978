//! The correctness pass: every contender must echo, or send to everybody, every byte before anything is timed.

use crate::Result;
use crate::arguments::Arguments;
use crate::contender::{Contender, Kind};
use crate::generator::{Check, Generator};
use crate::scenario::Pattern;
use crate::server::Server;
use crate::wire::{
    BINARY, Burst, CONTINUATION, FIN, PING, PONG, Payload, Random, TEXT, chinese, put_frame,
};

/// The edges of the three length encodings, and more than any socket buffer holds.
const SIZES: [usize; 9] = [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 1 << 20];
const CONNECTIONS: usize = 2;
/// More writes than tokio lets a task do at a stretch.
const LISTENERS: usize = 300;

pub fn contents(contender: &Contender, arguments: &Arguments) -> Result<()> {
    let server = Server::start(contender, arguments)?;
    let mut cases: Vec<(String, Burst, usize)> = Vec::new();
    let of = |payload, len, count| {
        Burst::messages(contender.kind, contender.pattern, payload, len, count)
    };
    for size in SIZES {
        let burst = of(Payload::Binary, size, 1);
        cases.push((format!("{size} B"), burst, usize::MAX));
    }
    cases.push((
        "burst of 16".into(),
        of(Payload::Binary, 125, 16),
        usize::MAX,
    ));
    cases.push((
        "burst of 3 x 64 KiB".into(),
        of(Payload::Binary, 65_536, 3),
        usize::MAX,
    ));
    cases.push((
        "Chinese text".into(),
        of(Payload::Chinese, 4096, 4),
        usize::MAX,
    ));
    cases.push((
        "125 B in writes of 1 B".into(),
        of(Payload::Binary, 125, 3),
        1,
    ));
    cases.push((
        "4 KiB of text in writes of 7 B".into(),
        of(Payload::Chinese, 4096, 2),
        7,
    ));
    cases.push((
        "64 KiB in writes of 1,021 B".into(),
        of(Payload::Binary, 65_536, 2),
        1021,
    ));
    if contender.pattern == Pattern::Echo {
        cases.push((
            "fragments around a ping".into(),
            fragments_around_a_ping(contender.kind),
            usize::MAX,
        ));
    }

    let mut streams = server.connect(match contender.pattern {
        Pattern::Echo => CONNECTIONS,
        Pattern::Broadcast => LISTENERS,
    })?;
    for (name, burst, max_write) in &cases {
        let mut generator = Generator::new(contender.pattern, streams, burst, Check::Contents)?;
        generator.max_write = *max_write;
        generator
            .exchange_once()
            .map_err(|error| format!("{name}: {error}"))?;
        streams = generator.into_streams()?;
    }
    drop(server);
    Ok(())
}

/// RFC 6455 section 5.4: control frames may come between the fragments of a message.
fn fragments_around_a_ping(kind: Kind) -> Burst {
    let mut random = Random(7);
    let text = chinese(&mut random, 3000);
    let (first, rest) = text.split_at(1000);
    let (second, third) = rest.split_at(1001);
    let (mut outgoing, mut expected) = (Vec::new(), Vec::new());
    put_frame(&mut outgoing, TEXT, Some(random.key()), first);
    put_frame(&mut outgoing, CONTINUATION, Some(random.key()), second);
    put_frame(
        &mut outgoing,
        FIN | PING,
        Some(random.key()),
        b"still there?",
    );
    put_frame(&mut outgoing, FIN | CONTINUATION, Some(random.key()), third);
    put_frame(&mut outgoing, FIN | BINARY, Some(random.key()), b"end");
    put_frame(&mut expected, FIN | PONG, None, b"still there?");
    put_frame(&mut expected, FIN | TEXT, None, &text);
    put_frame(&mut expected, FIN | BINARY, None, b"end");
    Burst::conversation(kind, outgoing, expected)
}
