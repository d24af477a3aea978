//! Runs every case of an Autobahn fuzzing server: `autobahn_client_async ws://127.0.0.1:9001 AGENT`.

use std::env;
use std::error::Error;

use ws_async::{CloseCode, Config, Connector, DeflateConfig, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(url), Some(agent)) = (arguments.next(), arguments.next()) else {
        return Err("usage: autobahn_client_async URL AGENT".into());
    };
    let mut ws = ws_async::connect(&format!("{url}/getCaseCount")).await?;
    let Some(Message::Text(count)) = ws.recv().await? else {
        return Err("the fuzzing server did not tell how many cases it has".into());
    };
    let count: u32 = count.trim().parse()?;
    ws.close(CloseCode::NORMAL, "").await?;
    let config = Config::default().with_deflate(DeflateConfig::default());
    let connector = Connector::new().with_config(config);
    for case in 1..=count {
        let uri = format!("{url}/runCase?case={case}&agent={agent}");
        if let Err(error) = echo(&connector, &uri).await {
            // Most cases end the connection on purpose; the suite's report is the judge.
            println!("case {case}: {error}");
        }
    }
    let mut ws = ws_async::connect(&format!("{url}/updateReports?agent={agent}")).await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}

async fn echo(connector: &Connector, uri: &str) -> Result<(), Box<dyn Error>> {
    let mut ws = connector.connect(uri).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
