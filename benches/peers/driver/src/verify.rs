//! The correctness pass: every contender must echo, or send to everybody, every byte before anything is timed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::Result;
use crate::answers::Answers;
use crate::arguments::Arguments;
use crate::arrivals::Arrivals;
use crate::compression::{Agreed, Deflater, Replies};
use crate::contender::{Contender, Kind};
use crate::generator::{Check, Generator};
use crate::round::Load as _;
use crate::scenario::Pattern;
use crate::server::{self, Server};
use crate::wire::{
    BINARY, Burst, CONTINUATION, FIN, PING, PONG, Payload, RSV1, Random, TEXT, chinese, put_frame,
};

/// The edges of the three length encodings, and more than any socket buffer holds.
const SIZES: [usize; 9] = [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 1 << 20];
const CONNECTIONS: usize = 2;
/// Longer messages are not cut into tiny writes.
const MAX_CUT: usize = 4096;
/// More writes than tokio lets a task do at a stretch.
const LISTENERS: usize = 300;
/// At the same time.
const VISITS: usize = 64;
/// What the clients send, as the harness has it.
const CLIENT_DEPTH: usize = 16;
const CLIENT_LEN: usize = 125;
const CLIENT_BURSTS: usize = 50;

pub fn contender(contender: &Contender, arguments: &Arguments) -> Result<()> {
    match contender.pattern {
        Pattern::Echo | Pattern::Broadcast => contents(contender, arguments),
        Pattern::Deflated => {
            let server = Server::start(contender, arguments)?;
            for max_write in [usize::MAX, 7] {
                for (stream, agreed) in server.connect_deflated(CONNECTIONS)? {
                    deflated(stream, agreed, max_write, contender.takes_empty)?;
                }
            }
            Ok(())
        }
        Pattern::Arrivals => {
            let server = Server::start(contender, arguments)?;
            let mut arrivals = Arrivals::new(server.door, VISITS)?;
            (0..2).try_for_each(|_| arrivals.exchange_once())
        }
        Pattern::Client => {
            let (_process, stream) = server::start_client(contender, arguments)?;
            let mut answers = Answers::new(stream, CLIENT_DEPTH, CLIENT_LEN)?;
            (0..CLIENT_BURSTS).try_for_each(|_| answers.check())
        }
    }
}

fn contents(contender: &Contender, arguments: &Arguments) -> Result<()> {
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
        Pattern::Echo | Pattern::Deflated => CONNECTIONS,
        Pattern::Broadcast => LISTENERS,
        Pattern::Arrivals | Pattern::Client => return Err("there are no messages to check".into()),
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

/// Messages of all sizes and kinds, compressed, on one connection: what comes later refers to what was before. Long text
/// has to come back compressed.
fn deflated(
    mut stream: TcpStream,
    agreed: Agreed,
    max_write: usize,
    takes_empty: bool,
) -> Result<()> {
    const ALIKE: usize = 200;
    let mut random = Random(9);
    let mut deflater = Deflater::new(agreed);
    let mut replies = Replies::new(agreed);
    let alike = [(Payload::Quotes, 1024, 16); ALIKE / 16];
    let bursts = SIZES
        .iter()
        .flat_map(|size| [(Payload::Binary, *size, 1), (Payload::Chinese, *size, 1)])
        .chain([(Payload::Chinese, 4096, 4), (Payload::Binary, 125, 16)])
        .chain(alike);
    for (payload, len, count) in bursts {
        if len == 0 && !takes_empty || len > MAX_CUT && max_write < len {
            continue;
        }
        let messages: Vec<(u8, Vec<u8>)> = (0..count)
            .map(|_| payload.message(&mut random, len))
            .collect();
        let mut outgoing = Vec::new();
        for (index, (opcode, message)) in messages.iter().enumerate() {
            let payload = deflater.message(message)?;
            // Every second one in two fragments: only the first of them says that it is compressed.
            let cut = payload.len() / 2 * (index % 2);
            let (start, end) = payload.split_at(cut);
            if cut > 0 {
                let key = Some(random.key());
                put_frame(&mut outgoing, RSV1 | opcode, key, start);
                let key = Some(random.key());
                put_frame(&mut outgoing, FIN | CONTINUATION, key, end);
            } else {
                let key = Some(random.key());
                put_frame(&mut outgoing, FIN | RSV1 | opcode, key, &payload);
            }
        }
        for part in outgoing.chunks(max_write) {
            stream.write_all(part)?;
        }
        let mut expected = messages.iter();
        let mut buffer = vec![0; 64 * 1024];
        while expected.len() > 0 {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            replies.read(&buffer[..read], |reply| {
                let (opcode, message) = expected.next().ok_or("more than the replies")?;
                let is_compressed = reply.compressed || *opcode != TEXT || message.len() < 512;
                if reply.opcode != *opcode || reply.plain != message || !is_compressed {
                    return Err(format!(
                        "{payload:?} of {len} B: opcode {}, compressed {}, {} B",
                        reply.opcode,
                        reply.compressed,
                        reply.plain.len()
                    )
                    .into());
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}
