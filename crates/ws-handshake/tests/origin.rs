//! Which pages may connect (RFC 6455 section 10.2).

mod wire;

use wire::{encoded, handshake, read};
use ws_handshake::{InvalidOrigin, Origin, OriginPolicy};

fn verdict(policy: &OriginPolicy, host: &str, origin: Option<&str>) -> Option<u16> {
    let request =
        read(&handshake(&[("Host", Some(host)), ("Origin", origin)])).expect("well-formed");
    match policy.check(&request) {
        Ok(()) => None,
        Err(rejection) => Some(rejection.status().expect("it says so")),
    }
}

/// spec: H-15, H-16, S-03, P-85, BT-10: the default. No Origin passes, the same host passes, nothing else.
#[test]
fn same_host() {
    assert_eq!(OriginPolicy::default(), OriginPolicy::SameHost);
    let good = [
        ("example.com", None),
        ("example.com", Some("http://example.com")),
        ("example.com", Some("https://example.com")),
        ("EXAMPLE.com", Some("https://example.COM")),
        ("example.com", Some("https://example.com:443")),
        ("example.com:443", Some("https://example.com")),
        ("example.com:80", Some("http://example.com")),
        ("example.com:", Some("http://example.com")),
        ("localhost:8080", Some("http://localhost:8080")),
        ("[::1]:9001", Some("http://[::1]:9001")),
        ("127.0.0.1:9001", Some("http://127.0.0.1:9001")),
    ];
    for (host, origin) in good {
        assert_eq!(
            verdict(&OriginPolicy::SameHost, host, origin),
            None,
            "{host} {origin:?}"
        );
    }
    let bad = [
        ("example.com", "null"),
        ("example.com", ""),
        ("example.com", "https://evil.test"),
        ("good.example", "https://good.example.evil.test"),
        ("good.example", "https://evil-good.example"),
        ("example.com", "https://www.example.com"),
        ("www.example.com", "https://example.com"),
        ("example.com", "http://example.com:8080"),
        ("example.com:8080", "http://example.com"),
        ("example.com:443", "http://example.com"),
        ("localhost:8080", "http://localhost:8081"),
        ("localhost", "http://127.0.0.1"),
        ("example.com", "https://example.com."),
        ("example.com", "https://example.com/"),
        ("example.com", "https://user@example.com"),
        ("example.com", "example.com"),
        ("example.com", "//example.com"),
        ("example.com", "chrome-extension://example.com"),
        ("example.com", "ws://example.com"),
        ("example.com", "https://example.com, https://example.com"),
        ("example.com", "https://example.com https://evil.test"),
        ("example.com", "https://ex\u{e4}mple.com"),
        ("example.com", "1http://example.com"),
        ("example.com", "ht_tp://example.com"),
        ("example.com", "https://"),
        ("example.com", "https://example.com:x"),
    ];
    for (host, origin) in bad {
        assert_eq!(
            verdict(&OriginPolicy::SameHost, host, Some(origin)),
            Some(403),
            "{host} {origin}"
        );
    }
}

/// spec: P-11: the authority of an absolute target is the host to compare with.
#[test]
fn same_host_of_absolute_target() {
    let line = "GET http://inner:81/chat HTTP/1.1";
    let fields = [("Host", Some("outer")), ("Origin", Some("http://inner:81"))];
    let request = read(&wire::handshake_with(line, &fields)).expect("well-formed");
    assert_eq!(OriginPolicy::SameHost.check(&request), Ok(()));
    let fields = [("Host", Some("outer")), ("Origin", Some("http://outer"))];
    let request = read(&wire::handshake_with(line, &fields)).expect("well-formed");
    assert!(OriginPolicy::SameHost.check(&request).is_err());
}

/// spec: S-03, P-85, S13: whole origins, never parts.
#[test]
fn allow_list() {
    let policy = OriginPolicy::allow_list([
        "http://coolaf.com",
        "HTTPS://Example.com:443",
        "http://localhost:8080",
        "chrome-extension://abcdef",
    ])
    .expect("four origins");
    let cases = [
        (None, None),
        (Some("http://coolaf.com"), None),
        (Some("http://coolaf.com:80"), None),
        (Some("https://example.com"), None),
        (Some("chrome-extension://abcdef"), None),
        (Some("http://localhost:8080"), None),
        (Some("https://coolaf.com"), Some(403)),
        (Some("http://localhost"), Some(403)),
        (Some("http://coolaf.com.evil.test"), Some(403)),
        (Some("http://xcoolaf.com"), Some(403)),
        (Some("chrome-extension://abcdefg"), Some(403)),
        (Some("null"), Some(403)),
        (Some(""), Some(403)),
        (Some("http://server"), Some(403)),
    ];
    for (origin, expected) in cases {
        assert_eq!(verdict(&policy, "server", origin), expected, "{origin:?}");
    }
    let null = OriginPolicy::allow_list(["null"]).expect("an origin too");
    assert_eq!(verdict(&null, "server", Some("null")), None);
    assert_eq!(verdict(&null, "server", Some("http://null")), Some(403));
}

/// Everything passes by an explicit choice only, but not two fields.
#[test]
fn allow_all() {
    for origin in [
        None,
        Some("https://evil.test"),
        Some("null"),
        Some("rubbish"),
    ] {
        assert_eq!(verdict(&OriginPolicy::AllowAny, "server", origin), None);
    }
    let request = handshake(&[("Origin", Some("http://a")), ("Origin", Some("http://a"))]);
    let request = read(&request).expect("well-formed");
    for policy in [OriginPolicy::AllowAny, OriginPolicy::SameHost] {
        assert_eq!(policy.check(&request).expect_err("two").status(), Some(400));
    }
}

/// spec: S-14: the refusal does not repeat the origin.
#[test]
fn refusal() {
    let request = handshake(&[("Origin", Some("https://evil.test"))]);
    let rejection = OriginPolicy::SameHost
        .check(&read(&request).expect("well-formed"))
        .expect_err("foreign");
    assert!(encoded(&rejection).starts_with("HTTP/1.1 403 Forbidden\r\n"));
    assert!(!encoded(&rejection).contains("evil"));
}

/// Origins as values: what is equal, and how they print.
#[test]
fn origins() {
    let cases = [
        ("null", "null"),
        ("http://a", "http://a"),
        ("HTTP://A:80", "http://a"),
        ("https://a:443", "https://a"),
        ("https://a:80", "https://a:80"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("moz-extension://11-22", "moz-extension://11-22"),
        ("x://a:80", "x://a:80"),
    ];
    for (text, shown) in cases {
        let origin = Origin::parse(text).expect(text);
        assert_eq!(origin.to_string(), shown);
        assert_eq!(format!("{origin:?}"), format!("Origin({shown})"));
        assert_eq!(Origin::parse(shown), Ok(origin));
    }
    for text in [
        "",
        "NULL",
        "http",
        "http:/a",
        "http://",
        "http://a/",
        "http://a?q",
        "http://a b",
        "://a",
        "-x://a",
    ] {
        assert_eq!(Origin::parse(text), Err(InvalidOrigin), "{text:?}");
    }
    assert!(OriginPolicy::allow_list(["http://a", "b"]).is_err());
    assert!(InvalidOrigin.to_string().contains("scheme://host"));
}
