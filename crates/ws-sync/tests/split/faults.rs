//! A whole conversation in two hands, again and again, with the n-th operation of the stream failing, for n = 1, 2, …
//! until it comes through untouched.

use std::io;
use std::sync::mpsc;
use std::thread;

use bytes::BytesMut;
use ws_sync::{
    CloseCode, CloseInfo, Error, Message, MessageKind, ProtocolError, Receiver, Sender, State,
    WebSocket,
};
use ws_testkit::chopped_script::Script;
use ws_testkit::{ChoppedIo, Chunks, Fault, Remote};

use crate::pipe::{Pipe, quiet};

/// Calls after which a conversation that does not end is taken to hang.
const MAX_CALLS: usize = 5_000;

/// In what pieces the stream reads and writes.
const PIECES: [(Chunks, Chunks); 3] = [
    (Chunks::Whole, Chunks::Whole),
    (Chunks::Exactly(3), Chunks::Whole),
    (Chunks::Exactly(7), Chunks::Exactly(5)),
];

/// What came of one run.
#[derive(Debug)]
struct Run {
    delivered: Vec<Message>,
    ended: Result<(), Error>,
    /// What `send` and `close` said, apart from `Ok`.
    failed: Vec<Error>,
    info: Option<CloseInfo>,
}

impl Run {
    fn is_clean(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.clean)
    }
}

/// The connection after its opening handshake.
fn open(script: &Script, io: ChoppedIo) -> WebSocket<Pipe> {
    let open = match script.is_server {
        true => WebSocket::server,
        false => WebSocket::client,
    };
    open(Pipe(io), quiet(), BytesMut::new())
}

fn is_impatient(error: &Error) -> bool {
    let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
    matches!(error, Error::Io(error) if kinds.contains(&error.kind()))
}

/// Calls until it is not the stream's impatience that speaks.
fn patiently<T>(
    mut result: Result<T, Error>,
    mut again: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    for _ in 0..MAX_CALLS {
        match result {
            Err(error) if is_impatient(&error) => result = again(),
            result => return result,
        }
    }
    panic!("it never ends");
}

fn send(sender: &Sender, message: Message) -> Result<(), Error> {
    patiently(sender.send(message), || sender.flush())
}

fn close(sender: &Sender) -> Result<(), Error> {
    let close = || sender.close(CloseCode::NORMAL, "").map(drop);
    patiently(close(), close)
}

/// What has to hold when both halves have come to the end.
fn conclude(
    sender: &Sender,
    mut receiver: Receiver,
    delivered: Vec<Message>,
    ended: Result<(), Error>,
    mut failed: Vec<Error>,
) -> Run {
    for _ in 0..3 {
        assert!(matches!(receiver.recv(), Ok(None)), "an error latches");
    }
    assert_eq!(receiver.state(), State::Closed);
    assert_eq!(sender.close_info(), receiver.close_info());
    let mut late = sender.send("late");
    if let Err(Error::Io(_)) = late {
        // What was put off has failed while nobody was there to be told. That is told first, and once.
        failed.extend(std::mem::replace(&mut late, sender.send("late")).err());
    }
    assert!(matches!(late, Err(Error::Send(_))), "{late:?}");
    Run {
        delivered,
        ended,
        failed,
        info: sender.close_info(),
    }
}

/// Both halves in one thread.
fn alone(script: &Script, ws: WebSocket<Pipe>) -> Run {
    let (sender, mut receiver) = ws.split().expect("it can");
    let mut delivered = Vec::new();
    let mut failed = Vec::new();
    let mut ended = None;
    for _ in 0..MAX_CALLS {
        match receiver.recv() {
            Ok(Some(message)) => {
                delivered.push(message.clone());
                failed.extend(send(&sender, message).err());
                if script.closes_first && delivered.len() == script.messages.len() {
                    failed.extend(close(&sender).err());
                }
            }
            Ok(None) => {
                let ended = ended.unwrap_or(Ok(()));
                return conclude(&sender, receiver, delivered, ended, failed);
            }
            Err(error) if is_impatient(&error) => {}
            Err(error) => _ = ended.get_or_insert(Err(error)),
        }
    }
    panic!("it never ends");
}

/// A thread that receives, and one that sends and closes.
fn together(script: &Script, ws: WebSocket<Pipe>) -> Run {
    let (sender, mut receiver) = ws.split().expect("it can");
    let (arrived, to_echo) = mpsc::channel::<Message>();
    let receiving = thread::spawn(move || {
        let mut delivered = Vec::new();
        let mut ended = Ok(());
        for _ in 0..MAX_CALLS {
            match receiver.recv() {
                Ok(Some(message)) => {
                    delivered.push(message.clone());
                    // The echo may have given up.
                    _ = arrived.send(message);
                }
                Ok(None) => return (receiver, delivered, ended),
                Err(error) if is_impatient(&error) => {}
                Err(error) => ended = Err(error),
            }
        }
        panic!("it never ends");
    });
    let mut failed = Vec::new();
    let mut echoed = 0;
    for message in to_echo {
        failed.extend(send(&sender, message).err());
        echoed += 1;
        if script.closes_first && echoed == script.messages.len() {
            failed.extend(close(&sender).err());
        }
    }
    let (receiver, delivered, ended) = receiving.join().expect("no panic");
    conclude(&sender, receiver, delivered, ended, failed)
}

/// Both halves in one thread, and every message in pieces.
fn in_pieces(script: &Script, ws: WebSocket<Pipe>) -> Run {
    let (sender, mut receiver) = ws.split().expect("it can");
    let mut delivered = Vec::new();
    let mut failed = Vec::new();
    let mut ended = None;
    for _ in 0..MAX_CALLS {
        match receive_in_pieces(&mut receiver) {
            Ok(Some(message)) => {
                delivered.push(message.clone());
                failed.extend(send_in_pieces(&sender, &message).err());
                if script.closes_first && delivered.len() == script.messages.len() {
                    failed.extend(close(&sender).err());
                }
            }
            Ok(None) => {
                let ended = ended.unwrap_or(Ok(()));
                return conclude(&sender, receiver, delivered, ended, failed);
            }
            Err(error) if is_impatient(&error) => {}
            Err(error) => _ = ended.get_or_insert(Err(error)),
        }
    }
    panic!("it never ends");
}

fn receive_in_pieces(receiver: &mut Receiver) -> Result<Option<Message>, Error> {
    let Some(mut reader) = receiver.reader()? else {
        return Ok(None);
    };
    let mut payload = Vec::new();
    while let Some(chunk) = patiently(reader.chunk(), || reader.chunk())? {
        payload.extend_from_slice(&chunk.data);
    }
    Ok(Some(match reader.kind() {
        MessageKind::Text => Message::text(String::from_utf8(payload).expect("valid")),
        MessageKind::Binary => Message::binary(payload),
    }))
}

fn send_in_pieces(sender: &Sender, message: &Message) -> Result<(), Error> {
    let mut writer = sender.writer(message.kind())?;
    for piece in message.as_bytes().chunks(50) {
        writer.write(piece)?;
        if std::str::from_utf8(piece).is_ok() {
            patiently(writer.flush(), || writer.flush())?;
        }
    }
    patiently(writer.finish(), || sender.flush())
}

type Converse = fn(&Script, WebSocket<Pipe>) -> Run;

/// Runs every script with `fault` at every operation in turn, and once behind the last one.
fn strike_everywhere(
    converse: Converse,
    pieces: &[(Chunks, Chunks)],
    fault: Fault,
    judge: impl Fn(&Script, &Run, &Remote),
) {
    for script in Script::all() {
        for (reads, writes) in pieces {
            let mut n = 1;
            loop {
                let (io, remote) = ChoppedIo::scripted(&script.incoming[script.head_len..]);
                let io = io
                    .with_reads(reads.clone())
                    .with_writes(writes.clone())
                    .with_vectored_writes(n % 2 == 0);
                let run = converse(&script, open(&script, io.with_fault(n, fault)));
                script.assert_begun_frames(&run.delivered, &remote.written());
                judge(&script, &run, &remote);
                if remote.operations() < n {
                    assert!(run.is_clean(), "{run:?}");
                    break;
                }
                assert!(n < MAX_CALLS, "it never succeeds");
                n += 1;
            }
        }
    }
}

/// A stream that breaks is told once to the receiver, or it was to a sender.
fn assert_broken(run: &Run, kind: io::ErrorKind) {
    for error in run.ended.as_ref().err().into_iter().chain(&run.failed) {
        match error {
            Error::Io(error) => assert_eq!(error.kind(), kind),
            Error::Send(_) | Error::Protocol(ProtocolError::ConnectionLost) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// spec: C-23, CD-06
#[test]
fn a_stream_that_breaks_at_any_operation() {
    let kind = io::ErrorKind::ConnectionReset;
    strike_everywhere(alone, &PIECES, Fault::Error(kind), |_, run, _| {
        assert_broken(run, kind);
    });
    strike_everywhere(in_pieces, &PIECES[1..], Fault::Error(kind), |_, run, _| {
        assert_broken(run, kind);
    });
    strike_everywhere(together, &PIECES[..1], Fault::Error(kind), |_, run, _| {
        assert_broken(run, kind);
    });
}

/// spec: C-19, C-23, CD-06
#[test]
fn a_peer_that_leaves_at_any_operation() {
    strike_everywhere(alone, &PIECES, Fault::Eof, |_, run, _| {
        assert_broken(run, io::ErrorKind::BrokenPipe);
    });
    strike_everywhere(together, &PIECES[..1], Fault::Eof, |_, run, _| {
        assert_broken(run, io::ErrorKind::BrokenPipe);
    });
}

/// Nothing is lost, and nothing sent twice, whichever call is told.
///
/// spec: CD-04, CD-06
#[test]
fn a_wait_that_is_cut_short_at_any_operation() {
    for fault in [Fault::NotReady, Fault::TimedOut] {
        strike_everywhere(alone, &PIECES, fault, |script, run, remote| {
            script.assert_whole_frames(&run.delivered, &remote.written());
            assert!(run.is_clean() && run.failed.is_empty(), "{run:?}");
        });
        strike_everywhere(in_pieces, &PIECES[1..], fault, |script, run, remote| {
            script.assert_whole_frames(&run.delivered, &remote.written());
            assert!(run.is_clean() && run.failed.is_empty(), "{run:?}");
        });
        strike_everywhere(together, &PIECES[..1], fault, |script, run, _| {
            assert_eq!(run.delivered, script.messages);
        });
    }
}
