//! The route `/inspect`: what the server saw of this connection's opening handshake and what it
//! answered, told in the first message, because browsers show scripts neither.

use std::borrow::Cow;

use serde::Serialize;
use ws_async::handshake::GUID;
use ws_async::handshake::deflate::Terms;
use ws_async::handshake::server::{Acceptance, Request};
use ws_async::{Compress, HandlerResult, Session};

/// Serves one connection: one message, then it waits to be closed. `compressing` says by which terms the connection
/// was accepted.
pub(crate) async fn serve(mut session: Session, compressing: Option<Terms>) -> HandlerResult {
    // The same request is accepted in the same way again.
    let mut acceptance = session.request().offer()?.accept();
    if let Some(name) = session.subprotocol() {
        acceptance = acceptance.subprotocol(name)?;
    }
    if let Some(terms) = &compressing {
        acceptance = acceptance.deflate(terms);
    }
    let report = report(session.request(), &acceptance);
    // A request may hold a cookie next to what another page has put into its address, and how well the two compress
    // together tells about the cookie (RFC 7692 section 8).
    session.send_with(report, Compress::Never).await?;
    while session.recv().await?.is_some() {}
    Ok(())
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
fn report(request: &Request, acceptance: &Acceptance) -> String {
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
