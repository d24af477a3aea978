//! The connection driven by hand over a script of bytes: no socket, no clock, no runtime.

use bytes::Buf;
use ws_proto::{CloseCode, Config, Connection, Event, MaskKey, Message};

fn main() {
    let mut next_key: u32 = 0x37fa_213d;
    let mut client = Connection::client(Config::default(), move || {
        // A counter will do where nobody listens. On a network the keys must come from a random source.
        next_key = next_key.wrapping_add(1);
        MaskKey::new(next_key.to_be_bytes())
    });
    let mut server = Connection::server(Config::default());

    client
        .send(Message::text("hello"))
        .expect("the connection is open");
    client
        .ping(b"are you there?")
        .expect("the connection is open");
    let mut heard = exchange("client", &mut client, &mut server);
    heard.extend(exchange("server", &mut server, &mut client));

    server
        .close(CloseCode::GOING_AWAY, "the script ends here")
        .expect("the connection is open");
    heard.extend(exchange("server", &mut server, &mut client));
    heard.extend(exchange("client", &mut client, &mut server));

    assert_eq!(
        heard.len(),
        5,
        "a message, a Ping, its Pong and a Close each way"
    );
    assert!(server.wants_shutdown(), "the server ends TCP first");
}

/// Moves what `from` owes the wire to `to`, one byte at a time: chunking is invisible.
fn exchange(name: &str, from: &mut Connection, to: &mut Connection) -> Vec<Event> {
    let mut events = Vec::new();
    while from.transmit().has_remaining() {
        let byte = from.transmit().get_u8();
        to.receive_buffer().extend_from_slice(&[byte]);
        while let Some(event) = to.poll_event().expect("both ends keep to the RFC") {
            println!("from the {name}: {event:?}");
            events.push(event);
        }
    }
    events
}

#[test]
fn runs() {
    main();
}
