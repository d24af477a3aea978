//! Request heads: what a server reads, and what it refuses before it looks at WebSocket at all.

mod wire;

use wire::{Changes, encoded, field, handshake, handshake_with, head, read, rejection, status};
use ws_handshake::Limits;
use ws_handshake::server::RequestReader;

/// spec: P-01, H-03, H9: path and query reach the router as sent.
#[test]
fn target_parts() {
    let cases: [(&str, &str, Option<&str>, &str); 9] = [
        ("/", "/", None, "example.com"),
        ("/chat", "/chat", None, "example.com"),
        ("/chat?", "/chat", Some(""), "example.com"),
        (
            "/chat?room=1&x=%20",
            "/chat",
            Some("room=1&x=%20"),
            "example.com",
        ),
        ("//two", "//two", None, "example.com"),
        ("/a?b?c/d", "/a", Some("b?c/d"), "example.com"),
        ("http://h/chat?x", "/chat", Some("x"), "h"),
        ("HTTPS://h:8080", "/", None, "h:8080"),
        ("wss://h?x", "/", Some("x"), "h"),
    ];
    for (target, path, query, host) in cases {
        let request = read(&handshake_with(&format!("GET {target} HTTP/1.1"), &[])).expect(target);
        assert_eq!(request.target(), target);
        assert_eq!(request.path(), path, "{target}");
        assert_eq!(request.query(), query, "{target}");
        assert_eq!(request.host(), host, "{target}");
        assert!(request.offer().is_ok(), "{target}");
    }
}

/// spec: P-11: the authority of an absolute target replaces Host, which must be there nevertheless.
#[test]
fn absolute_target_and_host() {
    let line = "GET http://inner/chat HTTP/1.1";
    assert_eq!(
        read(&handshake_with(line, &[("Host", Some(""))]))
            .expect("empty Host")
            .host(),
        "inner"
    );
    assert_eq!(
        status(&handshake_with(line, &[("Host", Some("bad host"))])),
        Some(400)
    );
    assert_eq!(status(&handshake_with(line, &[("Host", None)])), Some(400));
}

/// spec: H-02, H-03, P-02, P-31, P-32, P-33, P-35, P-36, P-37
#[test]
fn request_lines() {
    let cases = [
        // P-31: the form of the line and of the target.
        ("GET /chat", Some(400)),
        ("GET", Some(400)),
        ("GET /a b HTTP/1.1", Some(400)),
        ("GET  /chat HTTP/1.1", Some(400)),
        ("GET /chat  HTTP/1.1", Some(400)),
        (" GET /chat HTTP/1.1", Some(400)),
        (" /chat HTTP/1.1", Some(400)),
        ("GET /chat HTTP/1.1 ", Some(400)),
        ("GET\t/chat HTTP/1.1", Some(400)),
        ("GET /chat\tHTTP/1.1", Some(400)),
        ("GET /ch\tat HTTP/1.1", Some(400)),
        ("G{T /chat HTTP/1.1", Some(400)),
        ("GET chat HTTP/1.1", Some(400)),
        ("GET * HTTP/1.1", Some(400)),
        ("GET example.com:80 HTTP/1.1", Some(400)),
        ("GET http:///chat HTTP/1.1", Some(400)),
        ("GET http://user@h/chat HTTP/1.1", Some(400)),
        ("GET http:/h/chat HTTP/1.1", Some(400)),
        ("GET ftp://h/chat HTTP/1.1", Some(400)),
        ("GET http://[::1/ HTTP/1.1", Some(400)),
        // P-32: what browsers always escape is refused, what they never escape is accepted.
        ("GET /\"q\" HTTP/1.1", Some(400)),
        ("GET /<q> HTTP/1.1", Some(400)),
        ("GET /ü HTTP/1.1", Some(400)),
        ("GET /?ü HTTP/1.1", Some(400)),
        ("GET /\x7f HTTP/1.1", Some(400)),
        ("GET /a\\b HTTP/1.1", Some(400)),
        ("GET /a^b HTTP/1.1", Some(400)),
        ("GET /{a} HTTP/1.1", Some(400)),
        ("GET /`a` HTTP/1.1", Some(400)),
        ("GET /[a]|b'c HTTP/1.1", Some(101)),
        ("GET /?q={%22a%22:1} HTTP/1.1", Some(101)),
        ("GET /?[a]|^{b}\\`' HTTP/1.1", Some(101)),
        ("GET /%zz HTTP/1.1", Some(101)),
        // P-33
        ("GET /chat#top HTTP/1.1", Some(400)),
        ("GET /?q#top HTTP/1.1", Some(400)),
        ("GET /# HTTP/1.1", Some(400)),
        // H-02, P-35 to P-37: versions.
        ("GET /chat HTTP/1.0", Some(400)),
        ("GET /chat HTTP/1.1", Some(101)),
        ("GET /chat HTTP/1.2", Some(101)),
        ("GET /chat HTTP/0.9", Some(505)),
        ("GET /chat HTTP/2.0", Some(505)),
        ("GET /chat HTTP/3.0", Some(505)),
        ("GET /chat HTTP/2", Some(400)),
        ("GET /chat http/1.1", Some(400)),
        ("GET /chat HTTP/1.1x", Some(400)),
        ("GET /chat HTTP/01.1", Some(400)),
        ("GET /chat HTTP/1.", Some(400)),
        ("PRI * HTTP/2.0", Some(505)),
    ];
    for (line, expected) in cases {
        assert_eq!(status(&handshake_with(line, &[])), expected, "{line:?}");
    }
}

/// spec: H-04, P-10, P-40
#[test]
fn host_fields() {
    let good = [
        "example.com",
        "EXAMPLE.com:80",
        "a_b.local",
        "h:",
        "%41.example",
        "example.com.",
        "127.0.0.1:9001",
        "[::1]",
        "[2001:DB8::1]:65535",
        "h:00080",
    ];
    for host in good {
        let request = read(&handshake(&[("Host", Some(host))])).expect(host);
        assert_eq!(request.host(), host);
    }
    let bad = [
        "",
        "a b",
        "a/b",
        "user@h",
        "[::1",
        "::1",
        "[::1]x",
        "[v1.x]",
        "[fe80::1%25eth0]",
        "h:x",
        "h:70000",
        "h:+80",
        "h:1:2",
        ":80",
        "h%4",
        "h%zz",
        "h\u{fc}",
        "h,\u{20}i",
        "a\\b",
        "[]",
    ];
    for host in bad {
        assert_eq!(
            status(&handshake(&[("Host", Some(host))])),
            Some(400),
            "{host:?}"
        );
    }
    assert_eq!(status(&handshake(&[("Host", None)])), Some(400));
    assert_eq!(
        status(&handshake(&[("Host", Some("a")), ("host", Some("a"))])),
        Some(400)
    );
}

/// spec: P-05, P-18, P-19, P-20, P-21, P-22, P-41, P-42
#[test]
fn field_lines() {
    let with = |line: &str| {
        let mut request = handshake(&[]);
        request.truncate(request.len() - 2);
        request.extend_from_slice(line.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request
    };
    let good = [
        "X:a",
        "X: \t a \t ",
        "X:",
        "X: a: b",
        "X: a\tb",
        "!#$%&'*+-.^_`|~: a",
        "X: \u{fc}\u{4e2d}",
    ];
    for line in good {
        assert_eq!(status(&with(line)), Some(101), "{line:?}");
    }
    let bad = [
        "nocolon",
        ": a",
        "X : a",
        "X\t: a",
        "X Y: a",
        "X(Y): a",
        "\u{fc}: a",
        " folded: a",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X: a\0b",
        "X: a\x01b",
        "X: a\x7fb",
        "X: a\rb",
        "X: a\nY: b",
        "X: a\r\rY: b",
        "X: a\x1b[0m",
    ];
    for line in bad {
        assert_eq!(status(&with(line)), Some(400), "{line:?}");
    }
    // A blank line right after the request line, and one that only looks blank.
    assert_eq!(status(b"GET / HTTP/1.1\r\n \r\nHost: h\r\n\r\n"), Some(400));
    assert_eq!(status(b"GET / HTTP/1.1\nHost: h\n\n"), Some(400));
    assert_eq!(status(b"GET / HTTP/1.1\rHost: h\r\r"), Some(400));
}

/// spec: P-16: up to two empty lines before the request line, and they count as head.
#[test]
fn leading_empty_lines() {
    for count in 0..=2 {
        let request = ["\r\n".repeat(count).as_bytes(), &handshake(&[])].concat();
        let parsed = read(&request).expect("forgiven");
        assert_eq!(parsed.head_len(), request.len());
        assert_eq!(parsed.path(), "/chat");
    }
    assert_eq!(
        status(&["\r\n\r\n\r\n".as_bytes(), &handshake(&[])].concat()),
        Some(400)
    );
    assert_eq!(status(b"\nGET / HTTP/1.1\r\n"), Some(400));
    assert_eq!(status(b"\rGET / HTTP/1.1\r\n"), Some(400));
}

/// spec: P-30, P-86, H-26: nobody would read an HTTP answer, and the first byte tells.
#[test]
fn not_http_at_all() {
    for start in [
        b"\x16\x03\x01\x02\x00\x01".as_slice(),
        b"\x00",
        b"\x80\x2e",
        b"\xff\xfe",
        b"\x7f",
        b"\t",
    ] {
        let rejection = RequestReader::new(Limits::default())
            .read(start)
            .expect_err("not HTTP");
        assert!(rejection.closes_silently());
        assert_eq!(rejection.status(), None);
        assert_eq!(encoded(&rejection), "");
        assert_eq!(rejection.to_string(), rejection.reason());
    }
    // Text that is not HTTP is told so.
    assert_eq!(status(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(400));
    assert_eq!(status(b"{\"json\": true}\r\n"), Some(400));
}

/// spec: P-45, H-30: an end inside the head is no reason to speak.
#[test]
fn end_of_input() {
    let mut reader = RequestReader::new(Limits::default());
    assert!(reader.read(b"GET / HT").expect("so far so good").is_none());
    assert!(reader.handle_eof().closes_silently());
}

/// spec: H-24, P-53, P-54: no body in any disguise, on any path.
#[test]
fn bodies() {
    let cases: [(Changes, Option<u16>); 12] = [
        (&[("Content-Length", Some("0"))], Some(101)),
        (&[("Content-Length", Some("5"))], Some(400)),
        (&[("Content-Length", Some("+0"))], Some(400)),
        (&[("Content-Length", Some("-0"))], Some(400)),
        (&[("Content-Length", Some("00"))], Some(400)),
        (&[("Content-Length", Some(""))], Some(400)),
        (&[("Content-Length", Some("0, 0"))], Some(400)),
        (
            &[("Content-Length", Some("0")), ("content-length", Some("0"))],
            Some(400),
        ),
        (
            &[("Content-Length", Some("0")), ("content-length", Some("5"))],
            Some(400),
        ),
        (&[("Transfer-Encoding", Some("chunked"))], Some(400)),
        (&[("Transfer-Encoding", Some("identity"))], Some(400)),
        (
            &[
                ("Transfer-Encoding", Some("chunked")),
                ("Content-Length", Some("0")),
            ],
            Some(400),
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(status(&handshake(fields)), expected, "{fields:?}");
        // It is refused before anybody asks for an offer.
        assert_eq!(
            read(&handshake(fields)).is_err(),
            expected == Some(400),
            "{fields:?}"
        );
    }
}

/// spec: H-22, P-58: what follows the head is counted apart and never looked at.
#[test]
fn bytes_after_the_head() {
    let head = handshake(&[]);
    for tail in [
        b"".as_slice(),
        b"\x81\x80\x00\x00\x00\x00",
        b"GET /evil HTTP/1.1\r\n\r\n",
        b"\0\n\r",
    ] {
        let request = read(&[&head, tail].concat()).expect("the head is good");
        assert_eq!(request.head_len(), head.len());
        assert_eq!(&request.bytes()[..], head);
    }
}

/// spec: P-23, H7: fields come in order, spelled as received, with any bytes.
#[test]
fn fields_as_received() {
    let request = b"GET / HTTP/1.1\r\nhOsT: h\r\nX-Latin: caf\xe9\r\nCookie: a=1\r\nX: \r\ncookie:b=2\r\n\r\n";
    let request = read(request).expect("a plain request");
    let headers = request.headers();
    assert_eq!(headers.len(), 5);
    let headers = headers.collect::<Vec<_>>();
    let expected: [(&str, &[u8]); 5] = [
        ("hOsT", b"h"),
        ("X-Latin", b"caf\xe9"),
        ("Cookie", b"a=1"),
        ("X", b""),
        ("cookie", b"b=2"),
    ];
    assert_eq!(headers, expected);
    assert_eq!(request.header("COOKIE"), Some(b"a=1".as_slice()));
    assert_eq!(
        request.header_all("Cookie").collect::<Vec<_>>(),
        [b"a=1", b"b=2"]
    );
    assert_eq!(request.header("Cookies"), None);
    assert_eq!(request.origin(), None);
    assert_eq!((request.method(), request.minor_version()), ("GET", 1));
}

/// spec: P-23: a field is found by its whole name and by nothing else, whatever stands beside it.
#[test]
fn fields_by_name() {
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nab:c: 1\r\nabc: a: b\r\nab: 2\r\nABC:\r\n\r\n";
    let request = read(request).expect("a plain request");
    for (name, values) in [
        ("abc", [b"a: b".as_slice(), b""].as_slice()),
        ("AB", &[b"c: 1", b"2"]),
        ("ab:c", &[]),
        ("ab:", &[]),
        ("a", &[]),
        ("abcd", &[]),
        ("", &[]),
        ("abc: a", &[]),
        ("a name that is longer than the lines of this head are", &[]),
    ] {
        assert!(
            request.header_all(name).eq(values.iter().copied()),
            "{name}"
        );
        let among_all = request
            .headers()
            .filter(|field| field.0.eq_ignore_ascii_case(name));
        assert!(
            among_all.map(|field| field.1).eq(values.iter().copied()),
            "{name}"
        );
    }
}

/// spec: P-12, P-35, P-46: a page load on the same port is a request like any other.
#[test]
fn page_loads() {
    for method in ["GET", "HEAD", "POST", "BREW"] {
        let request = head(&[
            &format!("{method} /page?x HTTP/1.1"),
            "Host: h",
            "Accept: text/html",
        ]);
        let request = read(&request).expect("a plain request");
        assert_eq!((request.method(), request.path()), (method, "/page"));
        assert!(!request.wants_websocket());
    }
    let old = read(b"GET /health HTTP/1.0\r\n\r\n").expect("HTTP/1.0 has no Host");
    assert_eq!((old.minor_version(), old.host()), (0, ""));
    assert!(!old.wants_websocket());
    // Upgrade in HTTP/1.0 is ignored (P-12), so this is a page load too.
    let old = read(&handshake_with("GET / HTTP/1.0", &[])).expect("well-formed");
    assert!(!old.wants_websocket());
    assert_eq!(
        status(&handshake_with("GET / HTTP/1.0", &[("Host", Some(""))])),
        Some(400)
    );
    assert!(
        read(&handshake(&[]))
            .expect("a handshake")
            .wants_websocket()
    );
    assert!(
        !read(&handshake(&[("Upgrade", Some("h2c"))]))
            .expect("well-formed")
            .wants_websocket()
    );
    // Broken, but meant for us: `offer` explains.
    assert!(
        read(&handshake(&[("Upgrade", Some("web socket"))]))
            .expect("well-formed")
            .wants_websocket()
    );
    assert!(
        read(&handshake(&[("Connection", None)]))
            .expect("well-formed")
            .wants_websocket()
    );
}

/// Reads with these limits, byte by byte, and tells how many bytes it took to refuse.
fn refused_after(received: &[u8], limits: Limits) -> Option<(u16, usize)> {
    let mut reader = RequestReader::new(limits);
    (0..=received.len()).find_map(|end| {
        let rejection = reader.read(&received[..end]).err()?;
        assert_eq!(
            reader.read(&received[..end]).err(),
            Some(rejection.clone()),
            "the verdict stays"
        );
        Some((rejection.status()?, end))
    })
}

/// spec: H-25, P-17, P-34, P-43: limits are inclusive and bite in the middle of a line.
#[test]
fn limits() {
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    // Request line: 14 bytes are `GET / HTTP/1.1`.
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let line = limits(|limits| limits.max_start_line = 14);
    assert_eq!(refused_after(request, line), None);
    let line = limits(|limits| limits.max_start_line = 13);
    assert_eq!(refused_after(request, line), Some((414, 14)));
    let line = limits(|limits| limits.max_start_line = 2);
    assert_eq!(refused_after(request, line), Some((414, 3)));
    // One field line: 7 bytes are `Host: h`.
    let field = limits(|limits| limits.max_field_line = 7);
    assert_eq!(refused_after(request, field), None);
    let field = limits(|limits| limits.max_field_line = 6);
    assert_eq!(refused_after(request, field), Some((431, 23)));
    // Number of fields.
    let two = b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    let count = limits(|limits| limits.max_fields = 2);
    assert_eq!(refused_after(two, count), None);
    let count = limits(|limits| limits.max_fields = 1);
    assert_eq!(refused_after(two, count), Some((431, 31)));
    // The whole head: 27 bytes.
    let whole = limits(|limits| limits.max_head = 27);
    assert_eq!(refused_after(request, whole), None);
    let whole = limits(|limits| limits.max_head = 26);
    assert_eq!(refused_after(request, whole), Some((431, 27)));
    let whole = limits(|limits| limits.max_head = usize::MAX);
    assert_eq!(refused_after(request, whole), None);
    // The defaults, against endless input of each kind.
    let endless = |start: &str, filler: &str| {
        let times = 60_000 / filler.len();
        [start.as_bytes(), filler.repeat(times).as_bytes()].concat()
    };
    let default = Limits::default();
    assert_eq!(
        refused_after(&endless("GET /", "a"), default),
        Some((414, 8193))
    );
    assert_eq!(
        refused_after(&endless("GET / HTTP/1.1\r\nX: ", "a"), default),
        Some((431, 16 + 8193))
    );
    assert_eq!(
        refused_after(&endless("GET / HTTP/1.1\r\n", "a"), default),
        Some((431, 16 + 8193))
    );
    assert_eq!(
        refused_after(&endless("GET / HTTP/1.1\r\n", "A: b\r\n"), default),
        Some((431, 16 + 101 * 6))
    );
    let wide = format!("A: {}\r\n", "b".repeat(8000));
    assert_eq!(
        refused_after(&endless("GET / HTTP/1.1\r\n", &wide), default),
        Some((431, 32_769))
    );
    assert_eq!(refused_after(&endless("", "A"), default), Some((501, 33)));
}

/// spec: P-34, P-43, P-82, H3: what fits fits: an 8 KiB request line, 8 KiB of cookies, 100 fields.
#[test]
fn large_but_allowed() {
    let target = format!("/{}", "a".repeat(8192 - "GET / HTTP/1.1".len()));
    assert_eq!(
        status(&handshake_with(&format!("GET {target} HTTP/1.1"), &[])),
        Some(101)
    );
    let cookie = "c".repeat(8192 - "Cookie: ".len());
    assert_eq!(status(&handshake(&[("Cookie", Some(&cookie))])), Some(101));
    let many = vec![("X-Filler", Some("y")); 95];
    assert_eq!(status(&handshake(&many)), Some(101));
    let many = vec![("X-Filler", Some("y")); 96];
    assert_eq!(status(&handshake(&many)), Some(431));
}

/// spec: P-39, P-17: a method longer than any known one is refused without waiting for its end.
#[test]
fn endless_method() {
    let rejection = rejection(format!("{} / HTTP/1.1\r\n\r\n", "M".repeat(33)).as_bytes());
    assert_eq!(rejection.status(), Some(501));
    let longest = head(&[&format!("{} / HTTP/1.1", "M".repeat(32)), "Host: h"]);
    assert_eq!(read(&longest).expect("still a method").method().len(), 32);
    assert_eq!(field(&encoded(&rejection), "Connection"), Some("close"));
}
