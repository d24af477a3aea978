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
