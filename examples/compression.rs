//! What permessage-deflate saves: a server pushes a thousand quotes in JSON, and a client sees the same messages whatever
//! was agreed. Prints what went over the wire.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_sync::{Acceptor, CloseCode, Compress, Config, Connector, DeflateConfig};

const QUOTES: u32 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{QUOTES} quotes      bytes  on the wire");
    for (name, config, compress) in ways() {
        let (plain, wire) = push(&config, compress)?;
        println!("{name:<16} {plain:>7} {wire:>12}");
    }
    Ok(())
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

/// The bytes of all quotes, and the bytes that the server wrote for them.
fn push(config: &Config, compress: Compress) -> Result<(usize, u64), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let acceptor = Acceptor::new().with_config(config.clone());
    let server = thread::spawn(move || -> Result<u64, String> {
        let (stream, _) = listener.accept().map_err(|error| error.to_string())?;
        let mut ws = acceptor.accept(stream).map_err(|error| error.to_string())?;
        let mut sent = || -> Result<u64, ws_sync::Error> {
            for number in 0..QUOTES {
                ws.feed_with(quote(number), compress)?;
            }
            ws.close(CloseCode::NORMAL, "")?;
            Ok(ws.stats().sent.bytes)
        };
        sent().map_err(|error| error.to_string())
    });
    let connector = Connector::new().with_config(config.clone());
    let mut ws = connector.handshake(TcpStream::connect(address)?, &format!("ws://{address}/"))?;
    let (mut number, mut plain) = (0, 0);
    while let Some(message) = ws.recv()? {
        if message.as_bytes() != quote(number).as_bytes() {
            return Err(format!("quote {number} is another one").into());
        }
        number += 1;
        plain += message.as_bytes().len();
    }
    if number != QUOTES {
        return Err(format!("{number} of {QUOTES} quotes came").into());
    }
    let wire = server.join().map_err(|_| "the server panicked")??;
    Ok((plain, wire))
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
    let [off, default, ultra, tiny, never] =
        ways().map(|(_, config, compress)| push(&config, compress));
    let (plain, off) = off?;
    assert!(off > plain as u64);
    let (default, ultra) = (default?.1, ultra?.1);
    assert!(
        ultra < default && default < off * 6 / 10,
        "{ultra} {default}"
    );
    // Messages this short have nothing in themselves that repeats: without takeover they are left as they are.
    let (tiny, never) = (tiny?.1, never?.1);
    assert!(tiny <= off && tiny > default, "{tiny}");
    assert_eq!(never, off);
    Ok(())
}
