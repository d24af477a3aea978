//! Both ends over the tokio binding: `over_sync` with `.await`.

use tokio::net::{TcpListener, TcpStream};
use ws_async::{Acceptor, CloseCode, Compress, Connector, Event, Initiator, Message, WebSocket};

use crate::deflate::{self, Wanted, agreed};
use crate::wire::WireLog;
use crate::{
    BINARY_SIZES, CLOSES, Checks, Command, OFFERED, PING_DATA, PING_SIZES, PONG_SEEN, Result,
    SUBPROTOCOLS, TEXTS, payload,
};

#[tokio::main]
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            converse(stream)
                .await
                .inspect_err(|error| eprintln!("{error}"))
        });
    }
}

async fn converse(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let acceptor = Acceptor::new().with_subprotocols(SUBPROTOCOLS);
    let incoming = acceptor.read_request(stream).await?;
    let wanted = Wanted::parse(incoming.request().query().unwrap_or_default());
    let acceptor = acceptor.with_config(wanted.server_config());
    let mut ws = incoming.accept(&acceptor).await?;
    let log = WireLog::default();
    ws.set_tap({
        let log = log.clone();
        move |frame, _| log.note(frame)
    });
    while let Some(event) = ws.recv_event().await? {
        match event {
            Event::Message(message) => {
                match Command::parse(message.as_text().unwrap_or_default()) {
                    Command::Ping => ws.ping(PING_DATA).await?,
                    Command::Close(code, reason) => {
                        ws.close(code, reason).await?;
                    }
                    Command::Subprotocol => {
                        let agreed = ws.subprotocol().unwrap_or("none").to_owned();
                        ws.send(agreed).await?;
                    }
                    Command::Agreed => ws.send_with(agreed(ws.deflate()), Compress::Never).await?,
                    Command::Wire => ws.send_with(log.report(), Compress::Never).await?,
                    Command::Echo => ws.send(message).await?,
                }
            }
            Event::Pong(data) if data == PING_DATA => ws.send(PONG_SEEN).await?,
            _ => {}
        }
    }
    Ok(())
}

#[tokio::main]
pub(crate) async fn check(url: &str, checks: &mut Checks) -> Result<()> {
    check_messages(url, checks).await?;
    check_pings(url, checks).await?;
    check_closing(url, checks).await?;
    check_being_closed(url, checks).await?;
    check_subprotocols(url, checks).await?;
    check_deflate(url, checks).await
}

async fn connect(url: &str, path: &str) -> Result<WebSocket<TcpStream>> {
    Ok(ws_async::connect(&format!("{url}{path}")).await?)
}

async fn check_messages(url: &str, checks: &mut Checks) -> Result<()> {
    let mut ws = connect(url, "/echo").await?;
    for text in TEXTS {
        ws.send(text).await?;
        checks.equal("text", &ws.recv().await?, &Some(Message::text(text)));
    }
    for size in BINARY_SIZES {
        let message = Message::binary(payload(size));
        ws.send(message.clone()).await?;
        checks.equal("binary", &ws.recv().await?, &Some(message));
    }
    let info = ws.close(CloseCode::NORMAL, "").await?;
    checks.closed(&info, Initiator::Local, 1000, "");
    Ok(())
}

async fn check_pings(url: &str, checks: &mut Checks) -> Result<()> {
    let mut ws = connect(url, "/echo").await?;
    for size in PING_SIZES {
        let data = payload(size);
        ws.ping(&data).await?;
        checks.equal(
            "Pong",
            &ws.recv_event().await?,
            &Some(Event::Pong(data.into())),
        );
    }
    ws.close(CloseCode::NORMAL, "").await?;
    Ok(())
}

async fn check_closing(url: &str, checks: &mut Checks) -> Result<()> {
    for (code, reason) in CLOSES {
        let mut ws = connect(url, "/echo").await?;
        let info = ws.close(CloseCode::new(code), reason).await?;
        checks.equal("answer to Close", &info.code().get(), &code);
        checks.equal("answer to Close", &info.clean, &true);
    }
    Ok(())
}

async fn check_being_closed(url: &str, checks: &mut Checks) -> Result<()> {
    for (code, reason) in CLOSES {
        let mut ws = connect(url, "/closing").await?;
        ws.send(format!("{code} {reason}")).await?;
        checks.equal("the end", &ws.recv().await?, &None);
        let info = ws
            .close_info()
            .ok_or("it is closed, and does not say how")?;
        checks.closed(&info, Initiator::Remote, code, reason);
    }
    Ok(())
}

async fn check_subprotocols(url: &str, checks: &mut Checks) -> Result<()> {
    let mut ws = Connector::new()
        .with_subprotocols(["unknown", OFFERED])
        .connect(&format!("{url}/echo"))
        .await?;
    checks.equal("subprotocol", &ws.subprotocol(), &Some(OFFERED));
    ws.close(CloseCode::NORMAL, "").await?;
    let mut ws = connect(url, "/echo").await?;
    checks.equal("no subprotocol", &ws.subprotocol(), &None);
    ws.close(CloseCode::NORMAL, "").await?;
    Ok(())
}

async fn check_deflate(url: &str, checks: &mut Checks) -> Result<()> {
    for case in deflate::cases() {
        let connector = Connector::new().with_config(case.config());
        let path = format!("{url}/echo?{}", case.wanted);
        let mut ws = connector.connect(&path).await?;
        let log = WireLog::default();
        ws.set_tap({
            let log = log.clone();
            move |frame, _| log.note(frame)
        });
        checks.equal("agreed", &ws.deflate(), &case.agreement());
        for (message, compress) in deflate::messages() {
            ws.send_with(message.clone(), compress).await?;
            checks.equal("echo", &ws.recv().await?, &Some(message));
        }
        ws.close(CloseCode::NORMAL, "").await?;
        case.judge(&log, checks);
    }
    Ok(())
}
