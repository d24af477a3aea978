//! The page's files, compiled in, and what is answered to requests for them.

use ws_async::handshake::server::{HttpResponse, Request, ResponseError};

/// A file of the page.
#[derive(Debug)]
pub(crate) struct File {
    path: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Everything there is. A path that is not written here does not exist, so no path can lead out.
const FILES: &[File] = &[
    File {
        path: "/",
        media_type: HTML,
        content: include_str!("../static/index.html"),
    },
    File {
        path: "/style.css",
        media_type: STYLE,
        content: include_str!("../static/style.css"),
    },
    File {
        path: "/app.js",
        media_type: SCRIPT,
        content: include_str!("../static/app.js"),
    },
    File {
        path: "/chat.js",
        media_type: SCRIPT,
        content: include_str!("../static/chat.js"),
    },
    File {
        path: "/close-codes.js",
        media_type: SCRIPT,
        content: include_str!("../static/close-codes.js"),
    },
    File {
        path: "/connection.js",
        media_type: SCRIPT,
        content: include_str!("../static/connection.js"),
    },
    File {
        path: "/dom.js",
        media_type: SCRIPT,
        content: include_str!("../static/dom.js"),
    },
    File {
        path: "/echo.js",
        media_type: SCRIPT,
        content: include_str!("../static/echo.js"),
    },
    File {
        path: "/events.js",
        media_type: SCRIPT,
        content: include_str!("../static/events.js"),
    },
    File {
        path: "/format.js",
        media_type: SCRIPT,
        content: include_str!("../static/format.js"),
    },
    File {
        path: "/frame.js",
        media_type: SCRIPT,
        content: include_str!("../static/frame.js"),
    },
    File {
        path: "/handshake.js",
        media_type: SCRIPT,
        content: include_str!("../static/handshake.js"),
    },
    File {
        path: "/messages.js",
        media_type: SCRIPT,
        content: include_str!("../static/messages.js"),
    },
    File {
        path: "/plot.js",
        media_type: SCRIPT,
        content: include_str!("../static/plot.js"),
    },
    File {
        path: "/round-trip.js",
        media_type: SCRIPT,
        content: include_str!("../static/round-trip.js"),
    },
    File {
        path: "/routes.js",
        media_type: SCRIPT,
        content: include_str!("../static/routes.js"),
    },
    File {
        path: "/socket.js",
        media_type: SCRIPT,
        content: include_str!("../static/socket.js"),
    },
    File {
        path: "/watch.js",
        media_type: SCRIPT,
        content: include_str!("../static/watch.js"),
    },
    File {
        path: "/wire.js",
        media_type: SCRIPT,
        content: include_str!("../static/wire.js"),
    },
];

/// Nothing is loaded from anywhere but here and nothing inline runs. `ws:` and `wss:` stand for
/// themselves because older engines do not take them for `'self'`, and because the page may be
/// pointed at another server. The two Cross-Origin fields isolate the page, for which browsers reward
/// it with a finer clock: the round-trip plot needs one.
const SECURITY_FIELDS: [(&str, &str); 6] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
];

/// The answer to a plain request; `None` where there is no file.
pub(crate) fn respond(request: &Request) -> Option<HttpResponse> {
    let file = file(request.path())?;
    let response = match request.method() {
        "GET" | "HEAD" => file.response(),
        _ => method_not_allowed(),
    };
    Some(response.expect("what is written here is allowed"))
}

/// The file at a path.
fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl File {
    fn response(&self) -> Result<HttpResponse, ResponseError> {
        secured(HttpResponse::new(200)?)?
            .header("Cache-Control", "no-store")?
            .content(self.media_type, self.content)
    }
}

/// A page is only read.
fn method_not_allowed() -> Result<HttpResponse, ResponseError> {
    secured(HttpResponse::new(405)?)?
        .header("Allow", "GET, HEAD")?
        .content(
            "text/plain; charset=utf-8",
            "The page answers GET and HEAD.",
        )
}

fn secured(response: HttpResponse) -> Result<HttpResponse, ResponseError> {
    SECURITY_FIELDS
        .iter()
        .try_fold(response, |response, (name, value)| {
            response.header(name, value)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of what `text` imports or refers to, by a marker before and a quote behind.
    fn named<'a>(text: &'a str, marker: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(marker)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_file_that_the_page_names_is_served() {
        for File { path, content, .. } in FILES {
            for name in named(content, "from \"./") {
                assert!(file(&format!("/{name}")).is_some(), "{path} imports {name}");
            }
        }
        let page = file("/").expect("the page").content;
        for name in named(page, "src=\"").chain(named(page, "rel=\"stylesheet\" href=\"")) {
            assert!(file(name).is_some(), "the page names {name}");
        }
    }

    #[test]
    fn the_page_has_nothing_that_its_policy_forbids_and_names_no_other_host() {
        for File { path, content, .. } in FILES {
            for forbidden in [
                "<style",
                " style=\"",
                "<script>",
                " onclick=",
                "@import",
                "innerHTML",
                "eval(",
            ] {
                assert!(!content.contains(forbidden), "{path} has {forbidden}");
            }
            for address in content.split("://").skip(1) {
                let host = address
                    .split(['/', '\'', '"', '`', '<', '$'])
                    .next()
                    .unwrap_or_default();
                // The name of SVG's vocabulary, which nobody loads, and texts that end there.
                assert!(matches!(host, "" | "www.w3.org"), "{path} names {host}");
            }
        }
    }
}
