//! Everything at once, over a pipe that holds a single byte.

use std::thread;

use ws_sync::{CloseCode, Initiator, State};

use crate::pipe::{drain, pair};

/// Two senders, Pings from both sides and a receiver for each end, a byte at a time.
///
/// spec: CD-06
#[test]
fn threads_share_a_pipe_of_one_byte() {
    const EACH: usize = 60;
    let (client, server) = pair(1);
    let (client, client_receiver) = client.split().expect("it can");
    let (server, server_receiver) = server.split().expect("it can");
    let receivers =
        [client_receiver, server_receiver].map(|receiver| thread::spawn(move || drain(receiver)));
    thread::scope(|scope| {
        for sender in [&client, &server] {
            for who in ["a", "b"] {
                let sender = sender.clone();
                scope.spawn(move || {
                    for n in 0..EACH {
                        sender.send(format!("{who}{n}")).expect("sent");
                        if n % 10 == 0 {
                            sender.ping(who.as_bytes()).expect("sent");
                        }
                    }
                });
            }
        }
    });
    let info = client.close(CloseCode::NORMAL, "done").expect("closed");
    assert!(info.clean);
    for receiver in receivers {
        let (messages, receiver) = receiver.join().expect("no panic");
        let texts: Vec<_> = messages
            .iter()
            .map(|message| message.as_text().expect("text"))
            .collect();
        for who in ["a", "b"] {
            let from = texts.iter().filter(|text| text.starts_with(who));
            let expected: Vec<_> = (0..EACH).map(|n| format!("{who}{n}")).collect();
            assert!(from.eq(&expected), "{who}: {texts:?}");
        }
        assert!(receiver.close_info().is_some_and(|info| info.clean));
        assert_eq!(receiver.state(), State::Closed);
    }
    let info = server.close_info().expect("it is over");
    assert_eq!((info.code(), info.reason()), (CloseCode::NORMAL, "done"));
    assert_eq!(info.initiator, Initiator::Remote);
}
