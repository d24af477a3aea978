//! The page's files, compiled in, and HTTP responses.

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
        path: "/socket.js",
        media_type: SCRIPT,
        content: include_str!("../static/socket.js"),
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
const SECURITY_FIELDS: &str = "\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'\r\n\
    Cross-Origin-Embedder-Policy: require-corp\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

/// The file at a path.
pub(crate) fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl File {
    /// The whole response. To HEAD it is the same without the content (RFC 9110 section 9.3.2).
    pub(crate) fn response(&self, with_content: bool) -> Vec<u8> {
        let content = if with_content { self.content } else { "" };
        format!(
            "HTTP/1.1 200 OK\r\n\
             Content-Type: {}\r\n\
             Content-Length: {}\r\n\
             Cache-Control: no-store\r\n\
             {SECURITY_FIELDS}\
             Connection: close\r\n\r\n{content}",
            self.media_type,
            self.content.len(),
        )
        .into_bytes()
    }
}

/// A page is only read.
pub(crate) fn method_not_allowed() -> Vec<u8> {
    const TEXT: &str = "The page answers GET and HEAD.";
    format!(
        "HTTP/1.1 405 Method Not Allowed\r\n\
         Allow: GET, HEAD\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         {SECURITY_FIELDS}\
         Connection: close\r\n\r\n{TEXT}",
        TEXT.len(),
    )
    .into_bytes()
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
