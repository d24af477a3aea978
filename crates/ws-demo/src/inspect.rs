//! The route `/inspect`: what the server saw of this connection's opening handshake and what it
//! answered, told in the first message, because browsers show scripts neither.

use std::borrow::Cow;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_async::handshake::GUID;
use ws_async::handshake::server::{Acceptance, Request};
use ws_async::{CloseCode, Error, WebSocket};

use crate::GOING_AWAY;
use crate::shutdown::ShutdownWatch;

/// Serves one connection: one message, then it waits to be closed.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocket<S>,
    report: String,
    mut shutdown: ShutdownWatch,
) -> Result<(), Error> {
    // One short message into empty buffers: it cannot stall.
    ws.feed(report).await?;
    loop {
        tokio::select! {
            biased;
            () = shutdown.begun() => {
                ws.close(CloseCode::GOING_AWAY, GOING_AWAY).await?;
                return Ok(());
            }
            received = ws.recv() => if received?.is_none() {
                return Ok(());
            }
        }
    }
}

/// What is told, in this order; the README says what each member is.
#[derive(Serialize)]
struct Report<'a> {
    request_line: String,
    headers: Vec<(&'a str, Cow<'a, str>)>,
    key: &'a str,
    guid: &'a str,
    concatenated: String,
    sha1_hex: String,
    accept: &'a str,
    status_line: &'a str,
    response_headers: Vec<(&'a str, &'a str)>,
}

/// The handshake as JSON.
pub(crate) fn report(request: &Request, acceptance: &Acceptance) -> String {
    let key = acceptance.offer().key();
    let accept = acceptance.offer().accept_key();
    let mut response = Vec::new();
    acceptance.encode(&mut response);
    let response = String::from_utf8_lossy(&response);
    let (status_line, response_headers) = split_head(&response);
    let report = Report {
        request_line: format!(
            "{} {} HTTP/1.{}",
            request.method(),
            request.target(),
            request.minor_version()
        ),
        headers: request
            .headers()
            .map(|(name, value)| (name, String::from_utf8_lossy(value)))
            .collect(),
        key,
        guid: GUID,
        concatenated: format!("{key}{GUID}"),
        sha1_hex: format!("{accept:x}"),
        accept: accept.as_str(),
        status_line,
        response_headers: response_headers.collect(),
    };
    serde_json::to_string(&report).expect("nothing in it is without a form in JSON")
}

/// Takes the final head apart; an interim `100 Continue` may stand before it.
fn split_head(response: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let heads = response.trim_end_matches("\r\n");
    let head = heads.rsplit("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    (status_line, lines.filter_map(|line| line.split_once(": ")))
}
