//! What permessage-deflate saves: a server pushes a thousand messages in JSON, of one quote each and then of twelve, and a
//! client sees the same ones whatever was agreed. Prints what went over the wire for each message.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_sync::{Acceptor, CloseCode, Compress, Config, Connector, DeflateConfig};

const MESSAGES: u32 = 1000;
/// Twelve quotes are 1 KiB.
const QUOTES: [u32; 2] = [1, 12];

fn main() -> Result<(), Box<dyn Error>> {
    for quotes in QUOTES {
        let mut title = format!("{} bytes of JSON", average(total(quotes)));
        for (name, config, compress) in ways() {
            let wire = push(quotes, &config, compress)?;
            println!("{title:<20} {name:<16} {:>5}", average(wire));
            title.clear();
        }
    }
    Ok(())
}

const fn average(bytes: u64) -> u64 {
    bytes / MESSAGES as u64
}

/// The bytes of all messages.
fn total(quotes: u32) -> u64 {
    (0..MESSAGES)
        .map(|number| message(number, quotes).len() as u64)
        .sum()
}

/// Both ends are configured alike here. Otherwise the client offers, the server answers, and nothing is compressed unless
/// both were told to.
fn ways() -> [(&'static str, Config, Compress); 5] {
    let on = |deflate: DeflateConfig| Config::default().with_deflate(deflate);
    let default = on(DeflateConfig::default());
    [
        ("off", Config::default(), Compress::Auto),
        ("default", default.clone(), Compress::Auto),
        ("ultra", on(DeflateConfig::ultra()), Compress::Auto),
        ("tiny", on(DeflateConfig::tiny()), Compress::Auto),
        ("default, never", default, Compress::Never),
    ]
}

/// The bytes that the server wrote.
fn push(quotes: u32, config: &Config, compress: Compress) -> Result<u64, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let acceptor = Acceptor::new().with_config(config.clone());
    let server = thread::spawn(move || -> Result<u64, String> {
        let (stream, _) = listener.accept().map_err(|error| error.to_string())?;
        let mut ws = acceptor.accept(stream).map_err(|error| error.to_string())?;
        let mut sent = || -> Result<u64, ws_sync::Error> {
            for number in 0..MESSAGES {
                ws.feed_with(message(number, quotes), compress)?;
            }
            ws.close(CloseCode::NORMAL, "")?;
            Ok(ws.stats().sent.bytes)
        };
        sent().map_err(|error| error.to_string())
    });
    let connector = Connector::new().with_config(config.clone());
    let mut ws = connector.handshake(TcpStream::connect(address)?, &format!("ws://{address}/"))?;
    let mut number = 0;
    while let Some(received) = ws.recv()? {
        if received.as_bytes() != message(number, quotes).as_bytes() {
            return Err(format!("message {number} is another one").into());
        }
        number += 1;
    }
    if number != MESSAGES {
        return Err(format!("{number} of {MESSAGES} messages came").into());
    }
    Ok(server.join().map_err(|_| "the server panicked")??)
}

fn message(number: u32, quotes: u32) -> String {
    let quotes = (number * quotes..(number + 1) * quotes).map(quote);
    quotes.collect::<Vec<_>>().join("\n")
}

fn quote(number: u32) -> String {
    let symbol = ["ACME", "GLOBEX", "INITECH", "UMBRELLA"][number as usize % 4];
    // Something that looks like noise and is the same each time.
    let noise = number.wrapping_mul(2_654_435_761) >> 8;
    format!(
        r#"{{"type":"quote","symbol":"{symbol}","sequence":{number},"bid":{}.{:02},"ask":{}.{:02},"size":{}}}"#,
        100 + noise % 50,
        noise % 100,
        101 + noise % 50,
        noise / 100 % 100,
        100 * (1 + noise % 40),
    )
}

#[test]
fn the_wire_carries_less_and_the_client_sees_the_same() -> Result<(), Box<dyn Error>> {
    for quotes in QUOTES {
        let [off, default, ultra, tiny, never] =
            ways().map(|(_, config, compress)| push(quotes, &config, compress));
        let (off, default, ultra, tiny) = (off?, default?, ultra?, tiny?);
        assert!(off > total(quotes));
        assert_eq!(never?, off);
        assert!(
            ultra < default && default < tiny,
            "{ultra} {default} {tiny}"
        );
        assert!(default < off / 3, "{default}");
        // Without takeover a single quote is too short to be tried.
        assert_eq!(tiny == off, quotes == 1, "{tiny}");
    }
    Ok(())
}
