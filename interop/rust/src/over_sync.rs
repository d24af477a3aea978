//! Both ends over the blocking binding. `over_async` is the same with `.await`.

use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_sync::{Acceptor, CloseCode, Compress, Connector, Event, Initiator, Message, WebSocket};

use crate::deflate::{self, Wanted, agreed};
use crate::wire::WireLog;
use crate::{
    BINARY_SIZES, CLOSES, Checks, Command, OFFERED, PING_DATA, PING_SIZES, PONG_SEEN, Result,
    SUBPROTOCOLS, TEXTS, payload,
};

pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || converse(stream).inspect_err(|error| eprintln!("{error}")));
    }
    Ok(())
}

fn converse(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let acceptor = Acceptor::new().with_subprotocols(SUBPROTOCOLS);
    let incoming = acceptor.read_request(stream)?;
    let wanted = Wanted::parse(incoming.request().query().unwrap_or_default());
    let acceptor = acceptor.with_config(wanted.server_config());
    let mut ws = incoming.accept(&acceptor)?;
    let log = WireLog::default();
    ws.set_tap({
        let log = log.clone();
        move |frame, _| log.note(frame)
    });
    while let Some(event) = ws.recv_event()? {
        match event {
            Event::Message(message) => {
                match Command::parse(message.as_text().unwrap_or_default()) {
                    Command::Ping => ws.ping(PING_DATA)?,
                    Command::Close(code, reason) => {
                        ws.close(code, reason)?;
                    }
                    Command::Subprotocol => {
                        let agreed = ws.subprotocol().unwrap_or("none").to_owned();
                        ws.send(agreed)?;
                    }
                    Command::Agreed => ws.send_with(agreed(ws.deflate()), Compress::Never)?,
                    Command::Wire => ws.send_with(log.report(), Compress::Never)?,
                    Command::Echo => ws.send(message)?,
                }
            }
            Event::Pong(data) if data == PING_DATA => ws.send(PONG_SEEN)?,
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn check(url: &str, checks: &mut Checks) -> Result<()> {
    check_messages(url, checks)?;
    check_pings(url, checks)?;
    check_closing(url, checks)?;
    check_being_closed(url, checks)?;
    check_subprotocols(url, checks)?;
    check_deflate(url, checks)
}

fn connect(url: &str, path: &str) -> Result<WebSocket<TcpStream>> {
    Ok(ws_sync::connect(&format!("{url}{path}"))?)
}

fn check_messages(url: &str, checks: &mut Checks) -> Result<()> {
    let mut ws = connect(url, "/echo")?;
    for text in TEXTS {
        ws.send(text)?;
        checks.equal("text", &ws.recv()?, &Some(Message::text(text)));
    }
    for size in BINARY_SIZES {
        let message = Message::binary(payload(size));
        ws.send(message.clone())?;
        checks.equal("binary", &ws.recv()?, &Some(message));
    }
    let info = ws.close(CloseCode::NORMAL, "")?;
    checks.closed(&info, Initiator::Local, 1000, "");
    Ok(())
}

fn check_pings(url: &str, checks: &mut Checks) -> Result<()> {
    let mut ws = connect(url, "/echo")?;
    for size in PING_SIZES {
        let data = payload(size);
        ws.ping(&data)?;
        checks.equal("Pong", &ws.recv_event()?, &Some(Event::Pong(data.into())));
    }
    ws.close(CloseCode::NORMAL, "")?;
    Ok(())
}

fn check_closing(url: &str, checks: &mut Checks) -> Result<()> {
    for (code, reason) in CLOSES {
        let mut ws = connect(url, "/echo")?;
        let info = ws.close(CloseCode::new(code), reason)?;
        checks.equal("answer to Close", &info.code().get(), &code);
        checks.equal("answer to Close", &info.clean, &true);
    }
    Ok(())
}

fn check_being_closed(url: &str, checks: &mut Checks) -> Result<()> {
    for (code, reason) in CLOSES {
        let mut ws = connect(url, "/closing")?;
        ws.send(format!("{code} {reason}"))?;
        checks.equal("the end", &ws.recv()?, &None);
        let info = ws
            .close_info()
            .ok_or("it is closed, and does not say how")?;
        checks.closed(&info, Initiator::Remote, code, reason);
    }
    Ok(())
}

fn check_subprotocols(url: &str, checks: &mut Checks) -> Result<()> {
    let mut ws = Connector::new()
        .with_subprotocols(["unknown", OFFERED])
        .connect(&format!("{url}/echo"))?;
    checks.equal("subprotocol", &ws.subprotocol(), &Some(OFFERED));
    ws.close(CloseCode::NORMAL, "")?;
    let mut ws = connect(url, "/echo")?;
    checks.equal("no subprotocol", &ws.subprotocol(), &None);
    ws.close(CloseCode::NORMAL, "")?;
    Ok(())
}

fn check_deflate(url: &str, checks: &mut Checks) -> Result<()> {
    for case in deflate::cases() {
        let connector = Connector::new().with_config(case.config());
        let path = format!("{url}/echo?{}", case.wanted);
        let mut ws = connector.connect(&path)?;
        let log = WireLog::default();
        ws.set_tap({
            let log = log.clone();
            move |frame, _| log.note(frame)
        });
        checks.equal("agreed", &ws.deflate(), &case.agreement());
        for (message, compress) in deflate::messages() {
            ws.send_with(message.clone(), compress)?;
            checks.equal("echo", &ws.recv()?, &Some(message));
        }
        ws.close(CloseCode::NORMAL, "")?;
        case.judge(&log, checks);
    }
    Ok(())
}
