//! The state as a function of the two directions.

use ws_proto::{CloseCode, Role, State};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;

/// What the peer does.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Nothing,
    Closes,
    Errs,
    Leaves,
}

#[test]
fn the_table() {
    // spec: C-14, C-21, C-22, C-24, C-26
    use Peer::{Closes, Errs, Leaves, Nothing};
    use Role::{Client, Server};
    use State::{Closed, Closing, Open};
    // Role, whether we close first, what the peer does -> state, wants shutdown, finished, clean.
    let table = [
        (Server, false, Nothing, Open, false, false, None),
        (Server, false, Closes, Closed, true, false, Some(true)),
        (Server, false, Errs, Closed, true, false, Some(false)),
        (Server, false, Leaves, Closed, true, true, Some(false)),
        (Server, true, Nothing, Closing, false, false, Some(false)),
        (Server, true, Closes, Closed, true, false, Some(true)),
        (Server, true, Errs, Closed, true, false, Some(false)),
        (Server, true, Leaves, Closed, true, true, Some(false)),
        (Client, false, Nothing, Open, false, false, None),
        (Client, false, Closes, Closed, false, false, Some(true)),
        (Client, false, Errs, Closed, true, false, Some(false)),
        (Client, false, Leaves, Closed, true, true, Some(false)),
        (Client, true, Nothing, Closing, false, false, Some(false)),
        (Client, true, Closes, Closed, false, false, Some(true)),
        (Client, true, Errs, Closed, true, false, Some(false)),
        (Client, true, Leaves, Closed, true, true, Some(false)),
    ];
    for (role, we_close, peer, state, shutdown, finished, clean) in table {
        let row = format!("{role:?}, we close: {we_close}, peer: {peer:?}");
        let (mut end, close) = match role {
            Server => (Alone::server(), Frame::close(1000, "").masked(KEY)),
            Client => (Alone::client(), Frame::close(1000, "")),
        };
        assert_eq!(end.connection.role(), role);
        if we_close {
            let closed = end.connection.close(CloseCode::NORMAL, "");
            assert_eq!(closed, Ok(()), "{row}");
        }
        match peer {
            Nothing => assert_eq!(end.events(), []),
            Closes => assert_eq!(end.receive(&close.bytes()).len(), 1),
            Errs => assert_eq!(end.receive(b"\xff"), []),
            Leaves => assert_eq!(end.receive_eof(), []),
        }
        end.sent();
        assert_eq!(end.connection.state(), state, "{row}");
        assert_eq!(end.connection.wants_shutdown(), shutdown, "{row}");
        assert_eq!(end.connection.is_finished(), finished, "{row}");
        let info = end.connection.close_info();
        assert_eq!(info.map(|info| info.clean), clean, "{row}");
        assert_eq!(end.error.is_some(), matches!(peer, Errs | Leaves), "{row}");
    }
}

#[test]
fn nothing_is_final_before_it_is_written() {
    // spec: C-14, C-25
    for mut end in [Alone::server(), Alone::client()] {
        end.receive(b"\xff");
        end.receive_eof();
        assert_eq!(end.connection.state(), State::Closed);
        assert!(!end.connection.wants_shutdown());
        assert!(!end.connection.is_finished());
        end.sent();
        assert!(end.connection.wants_shutdown());
        assert!(end.connection.is_finished());
    }
}

#[test]
fn the_table_of_an_end_that_gives_up() {
    // spec: C-21, C-23
    use Peer::{Closes, Errs, Leaves, Nothing};
    use State::{Closed, Closing};
    // What this end does, what the peer does then -> state, wants shutdown, finished, failed. Nothing is ever clean.
    let fail: fn(&mut Alone) = |end| end.connection.handle_write_failed();
    let abort: fn(&mut Alone) = |end| end.connection.abort();
    let table = [
        ("write failed", fail, Nothing, Closing, false, false, false),
        ("write failed", fail, Closes, Closed, true, false, false),
        ("write failed", fail, Errs, Closed, true, false, true),
        ("write failed", fail, Leaves, Closed, true, true, true),
        ("aborted", abort, Nothing, Closed, true, true, false),
        ("aborted", abort, Closes, Closed, true, true, false),
        ("aborted", abort, Errs, Closed, true, true, false),
        ("aborted", abort, Leaves, Closed, true, true, false),
    ];
    for (how, give_up, peer, state, shutdown, finished, failed) in table {
        let row = format!("{how}, peer: {peer:?}");
        let mut server = Alone::server();
        give_up(&mut server);
        match peer {
            Nothing => drop(server.events()),
            Closes => drop(server.receive(&Frame::close(1000, "").masked(KEY).bytes())),
            Errs => drop(server.receive(b"\xff")),
            Leaves => drop(server.receive_eof()),
        }
        assert_eq!(server.sent(), b"", "{row}");
        assert_eq!(server.connection.state(), state, "{row}");
        assert_eq!(server.connection.wants_shutdown(), shutdown, "{row}");
        assert_eq!(server.connection.is_finished(), finished, "{row}");
        assert_eq!(server.error.is_some(), failed, "{row}");
        let info = server.connection.close_info();
        assert!(info.is_none_or(|info| !info.clean), "{row}");
    }
}
