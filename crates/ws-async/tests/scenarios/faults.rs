//! A whole conversation, again and again: in pieces of every kind, and with the n-th operation of the stream failing,
//! for n = 1, 2, … until it comes through untouched.

use std::io;

use proptest::prelude::*;
use ws_async::handshake::client::{HandshakeError, RawRequest};
use ws_async::{
    AcceptError, Acceptor, CloseCode, CloseInfo, Config, ConnectError, Connector, Error, Message,
    MessageKind, ProtocolError, Receiver, SendError, Sender, State, WebSocket,
};
use ws_testkit::chopped_script::{REQUEST_LINES, Script};
use ws_testkit::{ChoppedIo, Chunks, Fault, Remote, Step};

use crate::drive::drive;

/// In what pieces the stream reads and writes.
const PIECES: [(Chunks, Chunks); 6] = [
    (Chunks::Whole, Chunks::Whole),
    (Chunks::Exactly(1), Chunks::Whole),
    (Chunks::Exactly(7), Chunks::Exactly(2)),
    (Chunks::Whole, Chunks::Exactly(3)),
    // Faults strike in the pieces above; each of these takes hundreds of operations more.
    (Chunks::Exactly(1), Chunks::Exactly(1)),
    (Chunks::Exactly(64), Chunks::Exactly(1)),
];

/// What came of one run.
#[derive(Debug, Default)]
struct Run {
    delivered: Vec<Message>,
    /// Why no connection came about.
    unopened: Option<Unopened>,
    /// What `recv` or `close` ended with.
    ended: Option<Result<(), Error>>,
    /// What `send` said, apart from `Ok`.
    unsent: Vec<Error>,
    info: Option<CloseInfo>,
}

impl Run {
    fn is_clean(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.clean)
    }

    /// Whether the peer closed and our answer did not reach the wire.
    fn is_unanswered(&self) -> bool {
        let unanswered = |info: &CloseInfo| info.received.is_some() && info.sent.is_none();
        self.info.as_ref().is_some_and(unanswered)
    }
}

#[derive(Debug)]
enum Unopened {
    Accept(AcceptError),
    Connect(ConnectError),
}

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

/// In how many hands the connection is, and how its messages travel.
#[derive(Clone, Copy, Debug)]
enum Hands {
    One,
    Split,
    /// One, and every message is received in chunks and sent in fragments.
    Streaming,
}

/// The connection in these hands.
enum End {
    One(WebSocket<ChoppedIo>),
    Split(Sender, Receiver),
    Streaming(WebSocket<ChoppedIo>),
}

impl End {
    fn of(ws: WebSocket<ChoppedIo>, hands: Hands) -> Self {
        match hands {
            Hands::One => Self::One(ws),
            Hands::Split => {
                let (sender, receiver) = ws.split();
                Self::Split(sender, receiver)
            }
            Hands::Streaming => Self::Streaming(ws),
        }
    }

    async fn recv(&mut self) -> Result<Option<Message>, Error> {
        let ws = match self {
            Self::One(ws) => return ws.recv().await,
            Self::Split(_, receiver) => return receiver.recv().await,
            Self::Streaming(ws) => ws,
        };
        let Some(mut reader) = ws.reader().await? else {
            return Ok(None);
        };
        let mut payload = Vec::new();
        while let Some(chunk) = reader.chunk().await? {
            payload.extend_from_slice(&chunk.data);
        }
        Ok(Some(match reader.kind() {
            MessageKind::Text => Message::text(String::from_utf8(payload).expect("text")),
            MessageKind::Binary => Message::binary(payload),
        }))
    }

    async fn send(&mut self, message: Message) -> Result<(), Error> {
        let ws = match self {
            Self::One(ws) => return ws.send(message).await,
            Self::Split(sender, _) => return sender.send(message).await,
            Self::Streaming(ws) => ws,
        };
        let mut writer = ws.writer(message.kind()).await?;
        for piece in message.as_bytes().chunks(50) {
            writer.write(piece).await?;
            // A text may not be cut inside a character where it is flushed.
            if message.is_binary() {
                writer.flush().await?;
            }
        }
        writer.finish().await
    }

    async fn close(&mut self) -> Result<CloseInfo, Error> {
        match self {
            Self::One(ws) | Self::Streaming(ws) => ws.close(CloseCode::NORMAL, "").await,
            Self::Split(sender, _) => sender.close(CloseCode::NORMAL, "").await,
        }
    }

    fn state(&self) -> State {
        match self {
            Self::One(ws) | Self::Streaming(ws) => ws.state(),
            Self::Split(sender, _) => sender.state(),
        }
    }

    fn close_info(&self) -> Option<CloseInfo> {
        match self {
            Self::One(ws) | Self::Streaming(ws) => ws.close_info(),
            Self::Split(_, receiver) => receiver.close_info(),
        }
    }
}

fn run(script: &Script, hands: Hands, io: ChoppedIo) -> Run {
    drive(async {
        let mut run = Run::default();
        let opened = if script.is_server {
            let acceptor = Acceptor::new().with_config(config());
            acceptor.accept(io).await.map_err(Unopened::Accept)
        } else {
            let request = RawRequest::from_lines(REQUEST_LINES).expect("it is well-formed");
            let connector = Connector::new().with_config(config());
            let opened = connector.handshake_raw(io, &request).await;
            opened.map_err(Unopened::Connect)
        };
        match opened {
            Ok(ws) => converse(script, &mut End::of(ws, hands), &mut run).await,
            Err(error) => run.unopened = Some(error),
        }
        run
    })
}

/// Echoes until the connection is over.
async fn converse(script: &Script, ws: &mut End, run: &mut Run) {
    loop {
        match ws.recv().await {
            Ok(Some(message)) => {
                run.delivered.push(message.clone());
                if let Err(error) = ws.send(message).await {
                    run.unsent.push(error);
                }
                if script.closes_first && run.delivered.len() == script.messages.len() {
                    let closed = ws.close().await;
                    run.ended = Some(closed.map(drop));
                }
            }
            Ok(None) => {
                run.ended.get_or_insert(Ok(()));
                break;
            }
            Err(error) => {
                run.ended.get_or_insert(Err(error));
            }
        }
    }
    for _ in 0..3 {
        assert!(matches!(ws.recv().await, Ok(None)), "an error latches");
    }
    assert_eq!(ws.state(), State::Closed);
    run.info = ws.close_info();
}

/// A script's stream in these pieces.
fn stream(
    script: &Script,
    (reads, writes): &(Chunks, Chunks),
    vectored: bool,
) -> (ChoppedIo, Remote) {
    let (io, remote) = ChoppedIo::scripted(&script.incoming);
    let io = io
        .with_reads(reads.clone())
        .with_writes(writes.clone())
        .with_vectored_writes(vectored);
    (io, remote)
}

/// Runs every script in all pieces with `fault` at every operation in turn, and once behind the last one.
fn strike_everywhere(fault: Fault, judge: impl Fn(&Script, &Run, &Remote)) {
    // What the hands do is the same in all pieces; the driver underneath is struck in each.
    let ways = [
        (Hands::One, 0..4),
        (Hands::Split, 2..3),
        (Hands::Streaming, 0..2),
    ];
    let runs = Script::all().map(|script| ways.clone().map(|way| (script.clone(), way)));
    for (script, (hands, pieces)) in runs.into_iter().flatten() {
        for index in pieces {
            let script = &script;
            let pieces = &PIECES[index];
            let strike = |n| {
                let (io, remote) = stream(script, pieces, index % 2 == 0);
                let run = run(script, hands, io.with_fault(n, fault));
                script.assert_begun(&run.delivered, &remote.written());
                (run, remote)
            };
            let (run, remote) = strike(usize::MAX);
            assert_untouched(script, &run, &remote);
            let operations = remote.operations();
            assert!(operations > 8, "{operations}");
            for n in 1..=operations {
                let (run, remote) = strike(n);
                judge(script, &run, &remote);
            }
            let (run, remote) = strike(operations + 1);
            assert_untouched(script, &run, &remote);
        }
    }
}

fn assert_untouched(script: &Script, run: &Run, remote: &Remote) {
    script.assert_whole(&run.delivered, &remote.written());
    assert!(matches!(run.ended, Some(Ok(()))), "{run:?}");
    assert!(run.is_clean() && run.unsent.is_empty(), "{run:?}");
    assert!(remote.is_shut_down());
}

/// spec: F-09, F-10, F-15, K-24, H-22, CD-04
#[test]
fn a_conversation_in_pieces_is_the_same_conversation() {
    for script in Script::all() {
        for pieces in &PIECES {
            for vectored in [false, true] {
                let (io, remote) = stream(&script, pieces, vectored);
                let run = run(&script, Hands::One, io);
                assert_untouched(&script, &run, &remote);
            }
        }
    }
}

/// spec: C-23, H-30, K-25
#[test]
fn a_stream_that_breaks_at_any_operation_is_an_error_of_the_transport() {
    let kind = io::ErrorKind::ConnectionReset;
    strike_everywhere(Fault::Error(kind), |_, run, _| {
        match &run.unopened {
            Some(
                Unopened::Accept(AcceptError::Io(error))
                | Unopened::Connect(ConnectError::Io(error)),
            ) => {
                assert_eq!(error.kind(), kind);
                return;
            }
            None => {}
            other => panic!("{other:?}"),
        }
        assert_unsent(run, kind);
        match &run.ended {
            // The peer's Close had arrived.
            Some(Ok(())) => assert!(run.is_clean() || run.is_unanswered(), "{run:?}"),
            Some(Err(Error::Io(error))) => assert_eq!(error.kind(), kind),
            // `send` has had the error already.
            Some(Err(Error::Protocol(ProtocolError::ConnectionLost))) => {
                assert!(!run.unsent.is_empty(), "{run:?}");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// spec: C-19, C-21, C-23, G-13, CD-08
#[test]
fn a_peer_that_leaves_at_any_operation_is_a_lost_connection() {
    let kind = io::ErrorKind::BrokenPipe;
    strike_everywhere(Fault::Eof, |_, run, _| {
        match &run.unopened {
            // The first operation that found the peer gone was a write.
            Some(
                Unopened::Accept(AcceptError::Io(error))
                | Unopened::Connect(ConnectError::Io(error)),
            ) => {
                assert_eq!(error.kind(), kind);
                return;
            }
            Some(Unopened::Accept(AcceptError::Rejected(rejection))) => {
                assert!(rejection.closes_silently());
                return;
            }
            Some(Unopened::Connect(ConnectError::Handshake(
                HandshakeError::ClosedBeforeResponse | HandshakeError::ClosedInsideResponse,
            ))) => return,
            None => {}
            other => panic!("{other:?}"),
        }
        assert_unsent(run, kind);
        match &run.ended {
            Some(Ok(())) => assert!(run.is_clean() || run.is_unanswered(), "{run:?}"),
            Some(Err(Error::Io(error))) => assert_eq!(error.kind(), kind),
            Some(Err(Error::Protocol(ProtocolError::ConnectionLost))) => assert!(!run.is_clean()),
            other => panic!("{other:?}"),
        }
    });
}

/// The first failure is the transport's; after it nothing can be sent.
fn assert_unsent(run: &Run, kind: io::ErrorKind) {
    for (index, error) in run.unsent.iter().enumerate() {
        match error {
            Error::Io(error) => assert_eq!((error.kind(), index), (kind, 0)),
            Error::Send(SendError::Closed) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// spec: CD-04
#[test]
fn an_operation_that_is_not_ready_is_tried_again() {
    strike_everywhere(Fault::NotReady, assert_untouched);
}

/// spec: CD-04
#[test]
fn nothing_is_ever_ready_at_the_first_attempt() {
    let steps = |len| {
        [Step::NotReady, Step::Bytes(len)]
            .into_iter()
            .cycle()
            .take(2_000)
    };
    for script in Script::all() {
        for len in [1, 2, 3, 64] {
            let (io, remote) = ChoppedIo::scripted(&script.incoming);
            let io = io.with_read_steps(steps(len)).with_write_steps(steps(len));
            let run = run(&script, Hands::One, io);
            assert_untouched(&script, &run, &remote);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// spec: F-09, CD-04
    #[test]
    fn random_pieces_and_a_random_fault(
        seed in any::<u64>(),
        longest in 1_usize..200,
        script in 0_usize..4,
        vectored in any::<bool>(),
        fault in prop_oneof![
            Just(None),
            (1_usize..400).prop_map(|n| Some((n, Fault::Eof))),
            (1_usize..400).prop_map(|n| Some((n, Fault::Error(io::ErrorKind::ConnectionAborted)))),
        ],
    ) {
        let script = &Script::all()[script];
        let pieces = (Chunks::random(seed, longest), Chunks::random(!seed, longest));
        let (io, remote) = stream(script, &pieces, vectored);
        let io = match fault {
            Some((n, fault)) => io.with_fault(n, fault),
            None => io,
        };
        let run = run(script, Hands::One, io);
        script.assert_begun(&run.delivered, &remote.written());
        if fault.is_none_or(|(n, _)| remote.operations() < n) {
            assert_untouched(script, &run, &remote);
        }
    }
}
