//! `ws` and `wss` URIs, rule by rule.

use std::net::IpAddr;

use ws_handshake::client::Request;
use ws_handshake::{Uri, UriError, UriOptions, Userinfo};

fn http() -> UriOptions {
    let mut options = UriOptions::default();
    options.http_schemes = true;
    options
}

fn userinfo(policy: Userinfo) -> UriOptions {
    let mut options = UriOptions::default();
    options.userinfo = policy;
    options
}

/// spec: CU-01, CU-03, CU-04, CU-05, CU-06, CU-10, CU-12, CU-13, K-06: what comes out of a good one.
#[test]
fn good() {
    #[rustfmt::skip]
    let cases = [
        // text, secure, host, port, authority, resource name
        ("ws://h", false, "h", 80, "h", "/"),
        ("WSS://h", true, "h", 443, "h", "/"),
        ("wss://Example.COM/Chat", true, "example.com", 443, "example.com", "/Chat"),
        ("ws://h:/", false, "h", 80, "h", "/"),
        ("ws://h:80/", false, "h", 80, "h", "/"),
        ("ws://h:443/", false, "h", 443, "h:443", "/"),
        ("wss://h:443/", true, "h", 443, "h", "/"),
        ("wss://h:80/", true, "h", 80, "h:80", "/"),
        ("ws://h:0008080/", false, "h", 8080, "h:8080", "/"),
        ("ws://h:1", false, "h", 1, "h:1", "/"),
        ("ws://h:65535", false, "h", 65535, "h:65535", "/"),
        ("ws://h?x=1", false, "h", 80, "h", "/?x=1"),
        ("ws://h/?", false, "h", 80, "h", "/"),
        ("ws://h?", false, "h", 80, "h", "/"),
        ("ws://h/a?b?c/d", false, "h", 80, "h", "/a?b?c/d"),
        ("ws://h/a%23b", false, "h", 80, "h", "/a%23b"),
        ("ws://h/a/../b/./c//d", false, "h", 80, "h", "/a/../b/./c//d"),
        ("ws://h/%e4%B8%ad", false, "h", 80, "h", "/%e4%B8%ad"),
        ("ws://h/.well-known/x", false, "h", 80, "h", "/.well-known/x"),
        ("ws://h/-._~!$&'()*+,;=:@", false, "h", 80, "h", "/-._~!$&'()*+,;=:@"),
        ("ws://127.0.0.1:9001/x", false, "127.0.0.1", 9001, "127.0.0.1:9001", "/x"),
        ("ws://[::1]:9001/", false, "::1", 9001, "[::1]:9001", "/"),
        ("ws://[::1]/", false, "::1", 80, "[::1]", "/"),
        ("ws://[2001:DB8::A]", false, "2001:db8::a", 80, "[2001:db8::a]", "/"),
        ("ws://[::ffff:1.2.3.4]", false, "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]", "/"),
        ("ws://a_b.example.", false, "a_b.example.", 80, "a_b.example.", "/"),
        ("ws://1a.2b", false, "1a.2b", 80, "1a.2b", "/"),
        ("ws://h%41/", false, "h%41", 80, "h%41", "/"),
    ];
    for (text, is_secure, host, port, authority, resource_name) in cases {
        let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(uri.is_secure(), is_secure, "{text}");
        assert_eq!((uri.host(), uri.port()), (host, port), "{text}");
        assert_eq!(uri.authority(), authority, "{text}");
        assert_eq!(uri.resource_name(), resource_name, "{text}");
        assert_eq!(uri.authorization(), None, "{text}");
        // What is printed means the same.
        assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri.clone()), "{text}");
        // What is sent is what our own server reads.
        let (bytes, _) = Request::new(&uri).encode([7; 16]);
        let start = format!("GET {resource_name} HTTP/1.1\r\nHost: {authority}\r\n");
        assert!(bytes.starts_with(start.as_bytes()), "{text}");
    }
}

/// spec: CU-01..CU-09, CU-11, K-01: what is wrong, and that it is said.
#[test]
fn bad() {
    use UriError::*;
    let cases = [
        ("", Scheme),
        ("h", Scheme),
        ("/chat", Scheme),
        ("://h", Scheme),
        ("ftp://h", Scheme),
        ("http://h", Scheme),
        ("https://h", Scheme),
        ("wsss://h", Scheme),
        ("ws:/h", EmptyHost),
        ("ws:h", EmptyHost),
        ("ws://", EmptyHost),
        ("ws:///chat", EmptyHost),
        ("ws://:80", EmptyHost),
        ("ws://?x", EmptyHost),
        ("ws://[::1", Host),
        ("ws://[::1%eth0]", Host),
        ("ws://[::1%25]", Host),
        ("ws://[::1%25a b]", ForbiddenCharacter),
        ("ws://[::1%25a/b]", Host),
        ("ws://[::1%25a[b]", Host),
        ("ws://[v1.x]/", Host),
        ("ws://[1.2.3.4]/", Host),
        ("ws://[]/", Host),
        ("ws://[::1]x/", Port),
        ("ws://::1/", EmptyHost),
        ("ws://a\\b/", Host),
        ("ws://a<b/", Host),
        ("ws://h%4/", Host),
        ("ws://h%zz/", Host),
        ("ws://127.1/", Host),
        ("ws://0x7f.1/", Host),
        ("ws://0x7f.0.0.0x1/", Host),
        ("ws://a.0x/", Host),
        ("ws://a.0X1/", Host),
        ("ws://2130706433/", Host),
        ("ws://127.0.0.01/", Host),
        ("ws://127.0.0.256/", Host),
        ("ws://127.0.0.1./", Host),
        ("ws://1.2.3.4.5/", Host),
        ("ws://b\u{fc}cher.example/", NonAsciiHost),
        ("ws://[::\u{fc}]/", NonAsciiHost),
        ("ws://h:0/", Port),
        ("ws://h:65536/", Port),
        ("ws://h:99999999999999999999/", Port),
        ("ws://h:8o/", Port),
        ("ws://h:+80/", Port),
        ("ws://h:-1/", Port),
        ("ws://h:80:80/", Port),
        ("ws://u@h/", Userinfo),
        ("ws://u:p@h/", Userinfo),
        ("ws://@h/", Userinfo),
        ("ws://h/#", Fragment),
        ("ws://h/#top", Fragment),
        ("ws://h#", Fragment),
        ("ws://h/a b", ForbiddenCharacter),
        (" ws://h/", ForbiddenCharacter),
        ("ws://h/ ", ForbiddenCharacter),
        ("ws://h/a\r\nX: y", ForbiddenCharacter),
        ("ws://h\r\nX: y/", ForbiddenCharacter),
        ("ws://h/\0", ForbiddenCharacter),
        ("ws://h/\t", ForbiddenCharacter),
        ("ws://h/\x7f", ForbiddenCharacter),
        ("ws://h/%zz", PercentEscape),
        ("ws://h/%4", PercentEscape),
        ("ws://h/%", PercentEscape),
        ("ws://h/?%g0", PercentEscape),
    ];
    for (text, expected) in cases {
        assert_eq!(Uri::parse(text), Err(expected), "{text:?}");
        assert!(!expected.to_string().is_empty());
    }
}

/// spec: CU-08, CU-10: what a URI may not hold but a browser accepts is escaped.
#[test]
fn escaping() {
    let uri = Uri::parse("ws://h/{a}|b^c`d\\e[f]\"g<h>?q={\"\u{e9}\":[1]}\u{4e2d}%20\u{1f600}")
        .expect("escapable");
    assert_eq!(
        uri.resource_name(),
        "/%7Ba%7D%7Cb%5Ec%60d%5Ce%5Bf%5D%22g%3Ch%3E?q=%7B%22%C3%A9%22:%5B1%5D%7D%E4%B8%AD%20%F0%9F%98%80"
    );
}

/// spec: CU-02
#[test]
fn http_schemes() {
    let cases = [
        ("http://h/x", false, 80),
        ("HTTPS://h/x", true, 443),
        ("ws://h/x", false, 80),
        ("wss://h", true, 443),
    ];
    for (text, is_secure, port) in cases {
        let uri = Uri::parse_with(text, http()).expect(text);
        assert_eq!((uri.is_secure(), uri.port()), (is_secure, port));
        assert!(uri.to_string().starts_with("ws"));
    }
    assert_eq!(Uri::parse_with("ftp://h", http()), Err(UriError::Scheme));
}

/// spec: CU-07, CR-04: never by default, never in clear without being told, never in anything printed.
#[test]
fn credentials() {
    let text = "wss://us%65r:p%40ss@h:8443/x";
    for policy in [Userinfo::BasicOverTls, Userinfo::Basic] {
        let uri = Uri::parse_with(text, userinfo(policy)).expect(text);
        // `user:p@ss` in base64.
        assert_eq!(uri.authorization(), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(uri.authority(), "h:8443");
        for shown in [
            uri.to_string(),
            format!("{uri:?}"),
            uri.without_query().to_string(),
        ] {
            assert!(!shown.contains("ss@") && !shown.contains("dXN"), "{shown}");
        }
        let (bytes, _) = Request::new(&uri).encode([0; 16]);
        let request = String::from_utf8(bytes).expect("ASCII");
        assert!(request.contains("\r\nHost: h:8443\r\n"));
        assert!(request.contains("\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"));
    }
    let plain = "ws://user@h/";
    assert_eq!(
        Uri::parse_with(plain, userinfo(Userinfo::BasicOverTls)),
        Err(UriError::Userinfo)
    );
    let uri = Uri::parse_with(plain, userinfo(Userinfo::Basic)).expect("told so");
    // `user:`: an empty password has its colon nevertheless.
    assert_eq!(uri.authorization(), Some("Basic dXNlcjo="));
    for text in ["ws://u%4:p@h/", "ws://u%zz:p@h/", "ws://%@h/", "ws://%4g@h"] {
        assert_eq!(
            Uri::parse_with(text, userinfo(Userinfo::Basic)),
            Err(UriError::PercentEscape),
            "{text}"
        );
    }
    assert_eq!(
        Uri::parse_with("ws://a@b@h/", userinfo(Userinfo::Basic)),
        Err(UriError::Host)
    );
}

/// spec: CU-14: a query often holds a token.
#[test]
fn display() {
    let uri = Uri::parse("ws://H:80/a?token=secret").expect("good");
    assert_eq!(uri.to_string(), "ws://h/a?token=secret");
    assert_eq!(format!("{uri:?}"), "Uri(ws://h/a?token=secret)");
    assert_eq!(uri.without_query().to_string(), "ws://h/a");
    assert_eq!(
        Uri::parse("wss://h/a")
            .expect("good")
            .without_query()
            .to_string(),
        "wss://h/a"
    );
}

/// spec: CU-03, CU-12, CT-02: addresses are recognised, zones kept from the wire.
#[test]
fn addresses() {
    let ip = |text: &str| Uri::parse(text).expect(text).ip();
    assert_eq!(ip("ws://example.com"), None);
    assert_eq!(ip("ws://192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
    assert_eq!(
        ip("ws://[::1]"),
        Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]))
    );
    let zoned = Uri::parse("ws://[fe80::1%25eth0]:81/").expect("zoned");
    assert_eq!(zoned.zone(), Some("eth0"));
    assert_eq!(
        (zoned.host(), zoned.authority().as_str()),
        ("fe80::1", "[fe80::1]:81")
    );
    assert_eq!(Uri::parse("ws://[fe80::1]").expect("no zone").zone(), None);
}
