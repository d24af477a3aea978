//! The stream does to a blocking user what its plan says, and never waits for ever.

use std::io::{ErrorKind, IoSlice, Read, Write};

use ws_testkit::{ChoppedIo, Chunks, Fault, Starved, Step};

fn read_once(io: &mut ChoppedIo) -> Result<Vec<u8>, ErrorKind> {
    let mut buffer = [0; 64];
    let len = io.read(&mut buffer).map_err(|error| error.kind())?;
    Ok(buffer[..len].to_vec())
}

#[test]
fn reads_follow_the_steps_and_then_the_chunks() {
    let (io, remote) = ChoppedIo::scripted(b"abcdefgh");
    let mut io = io
        .with_read_steps([Step::Bytes(1), Step::NotReady, Step::Bytes(2)])
        .with_reads(Chunks::Exactly(4));
    assert_eq!(read_once(&mut io), Ok(b"a".to_vec()));
    assert_eq!(read_once(&mut io), Err(ErrorKind::WouldBlock));
    assert_eq!(read_once(&mut io), Ok(b"bc".to_vec()));
    assert_eq!(read_once(&mut io), Ok(b"defg".to_vec()));
    assert_eq!(read_once(&mut io), Ok(b"h".to_vec()));
    assert_eq!(read_once(&mut io), Ok(vec![]));
    assert_eq!(remote.operations(), 6);
    remote.push(b"more");
    assert_eq!(read_once(&mut io), Ok(b"more".to_vec()));
}

#[test]
fn a_starved_read_does_as_told() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut io = io.when_starved(Starved::NotReady);
    assert_eq!(read_once(&mut io), Err(ErrorKind::WouldBlock));
    remote.end();
    assert_eq!(read_once(&mut io), Ok(vec![]));
}

#[test]
fn writes_are_recorded_and_chopped() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut io = io
        .with_write_steps([Step::NotReady])
        .with_writes(Chunks::Exactly(3));
    let refused = io
        .write(b"hello")
        .expect_err("the first write is not ready");
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    assert_eq!(io.write(b"hello").ok(), Some(3));
    assert_eq!(io.write(b"lo").ok(), Some(2));
    assert_eq!(remote.written(), b"hello");
    assert!(!remote.is_shut_down());
    drop(io);
    assert!(remote.is_shut_down() && remote.is_dropped());
}

#[test]
fn vectored_writes_count_as_one() {
    let slices = [IoSlice::new(b""), IoSlice::new(b"he"), IoSlice::new(b"llo")];
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut io = io
        .with_vectored_writes(true)
        .with_writes(Chunks::Exactly(4));
    assert_eq!(io.write_vectored(&slices).ok(), Some(4));
    assert_eq!(remote.written(), b"hell");
    let (mut plain, remote) = ChoppedIo::scripted(b"");
    assert_eq!(plain.write_vectored(&slices).ok(), Some(2));
    assert_eq!(remote.written(), b"he");
}

#[test]
fn a_fault_strikes_at_its_number() {
    for number in 1..=3 {
        let (io, remote) = ChoppedIo::scripted(b"abc");
        let mut io = io
            .with_reads(Chunks::Exactly(1))
            .with_fault(number, Fault::Error(ErrorKind::ConnectionReset));
        for _ in 1..number {
            assert!(read_once(&mut io).is_ok());
        }
        assert_eq!(read_once(&mut io), Err(ErrorKind::ConnectionReset));
        assert_eq!(remote.operations(), number);
        // Broken for good, in both directions, and the peer sees it.
        assert_eq!(read_once(&mut io), Err(ErrorKind::ConnectionReset));
        assert!(io.write(b"x").is_err());
        assert!(remote.is_shut_down());
    }
}

#[test]
fn an_early_end_hides_what_has_arrived() {
    let (io, _remote) = ChoppedIo::scripted(b"abc");
    let mut io = io.with_reads(Chunks::Exactly(1)).with_fault(2, Fault::Eof);
    assert_eq!(read_once(&mut io), Ok(b"a".to_vec()));
    assert_eq!(read_once(&mut io), Ok(vec![]));
    assert_eq!(read_once(&mut io), Ok(vec![]));
}

#[test]
fn two_threads_talk_over_a_duplex() {
    let (mut left, right) = ChoppedIo::duplex();
    let mut right = right.with_capacity(3).with_writes(Chunks::Exactly(2));
    let echo = std::thread::spawn(move || {
        let mut received = Vec::new();
        while let Ok(bytes) = read_once(&mut right) {
            if bytes.is_empty() {
                break;
            }
            right.write_all(&bytes).expect("the other end reads");
            received.extend(bytes);
        }
        received
    });
    left.write_all(b"hello").expect("the other end reads");
    left.shutdown_write().expect("nothing is planned to fail");
    let mut answer = Vec::new();
    left.read_to_end(&mut answer).expect("the other end ends");
    assert_eq!(answer, b"hello");
    assert_eq!(echo.join().expect("the echo does not panic"), b"hello");
}
