//! Which request goes where.

use ws_async::handshake::OriginPolicy;
use ws_async::handshake::Preference;
use ws_async::handshake::server::{Acceptance, Rejection, Request, ResponseError};

use crate::echo::Answer;
use crate::page;
use crate::settings::Settings;

/// Subprotocols this server knows. They change nothing here; they show the choice: the client's first
/// that is known is taken, and none is named where none was offered.
const SUBPROTOCOLS: &[&str] = &["chat", "superchat"];

/// A route that speaks WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Echo(Answer),
    Chat,
    Inspect,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An HTTP response, after which the connection is closed.
    Response(Vec<u8>),
    Refusal(Box<Rejection>),
    Socket(Route, Box<Acceptance>),
}

/// Decides about a request.
pub(crate) fn decide(request: &Request, settings: &Settings) -> Outcome {
    let Some((route, origin_required)) = route(request.path()) else {
        return page_or_nothing(request);
    };
    match accept(request, origin_required, settings) {
        Ok(acceptance) => Outcome::Socket(route, Box::new(acceptance)),
        Err(rejection) => refuse(rejection),
    }
}

fn refuse(rejection: Rejection) -> Outcome {
    Outcome::Refusal(Box::new(rejection))
}

fn route(path: &str) -> Option<(Route, bool)> {
    Some(match path {
        "/echo" => (Route::Echo(Answer::Same), false),
        "/reverse-001" => (Route::Echo(Answer::TextAndAaaa), false),
        "/origin-checked" => (Route::Echo(Answer::Same), true),
        "/chat" => (Route::Chat, false),
        "/inspect" => (Route::Inspect, false),
        _ => return None,
    })
}

fn page_or_nothing(request: &Request) -> Outcome {
    match page::file(request.path()) {
        Some(_) if request.wants_websocket() => refuse(Rejection::not_found()),
        Some(file) => Outcome::Response(match request.method() {
            "GET" => file.response(true),
            "HEAD" => file.response(false),
            _ => page::method_not_allowed(),
        }),
        None if request.method() == "HEAD" => refuse(Rejection::not_found().without_content()),
        None => refuse(Rejection::not_found()),
    }
}

fn accept(
    request: &Request,
    origin_required: bool,
    settings: &Settings,
) -> Result<Acceptance, Rejection> {
    let offer = request.offer()?;
    check_origin(request, origin_required, settings)?;
    match offer.select_subprotocol(SUBPROTOCOLS, Preference::Client) {
        Some(name) => offer
            .accept()
            .subprotocol(name)
            .map_err(<Rejection as From<ResponseError>>::from),
        None => Ok(offer.accept()),
    }
}

/// Pages of this server and those of the allow-list may connect; a program that sends no Origin is no
/// browser with somebody's cookies in it, and may too unless the route is there to show the check.
fn check_origin(
    request: &Request,
    origin_required: bool,
    settings: &Settings,
) -> Result<(), Rejection> {
    if origin_required && request.origin().is_none() {
        return Err(Rejection::forbidden());
    }
    OriginPolicy::SameHost
        .check(request)
        .or_else(|_| OriginPolicy::AllowList(settings.allowed_origins.clone()).check(request))
}
