//! The grammar of `Sec-WebSocket-Extensions`, rule by rule.

use ws_handshake::extension::{self, ExtensionError, MAX_ITEMS};

fn parsed(lines: &[&str]) -> Result<Vec<String>, ExtensionError> {
    let lines = lines.iter().map(|line| line.as_bytes());
    extension::parse(lines)
        .map(|extensions| extensions.map(|extension| extension.to_string()).collect())
}

/// spec, P-06
#[test]
fn good() {
    let cases: [(&[&str], &[&str]); 16] = [
        (&[], &[]),
        (&["a"], &["a"]),
        (
            &["permessage-deflate; client_max_window_bits"],
            &["permessage-deflate; client_max_window_bits"],
        ),
        (&["a ; b = \"1\" ,, c"], &["a; b=1", "c"]),
        (&["a;b;c=d"], &["a; b; c=d"]),
        (&["\t a \t;\t b \t=\t c \t,\t d"], &["a; b=c", "d"]),
        (&["a; x=\"10\""], &["a; x=10"]),
        (&["a; x=\"1\\0\""], &["a; x=10"]),
        (&["a; x=\"\\1\\0\", b"], &["a; x=10", "b"]),
        (&["a; x=\"1\\a2\"; y"], &["a; x=1a2; y"]),
        (&["a; x; x"], &["a; x; x"]),
        (&["a, a; x, a"], &["a", "a; x", "a"]),
        (&[",a,"], &["a"]),
        (&["a, b", "c"], &["a", "b", "c"]),
        (&["", "a", ", ,"], &["a"]),
        (&["!#$%&'*+-.^_`|~; |=~"], &["!#$%&'*+-.^_`|~; |=~"]),
    ];
    for (lines, expected) in cases {
        assert_eq!(parsed(lines).expect("good"), expected, "{lines:?}");
    }
}

/// spec, H-20
#[test]
fn malformed() {
    let cases: [&[&str]; 34] = [
        &[""],
        &[","],
        &[" , ,", ""],
        &[";"],
        &["a;"],
        &["a;;"],
        &["a; ;b"],
        &["a;,b"],
        &["a;=1"],
        &["a; b="],
        &["a; b=,c"],
        &["a; b=;c"],
        &["a; b==c"],
        &["a; b=c d"],
        &["a b"],
        &["a=b"],
        &["a/b"],
        &["a; b/c"],
        &["a; b=\"c"],
        &["a; b=\"c\\"],
        &["a; b=\"c\\\""],
        &["a; b=\"\""],
        &["a; b=\"c d\""],
        &["a; b=\"c\\ d\""],
        &["a; b=\"c,d\""],
        &["a; b=\"c\\\"d\""],
        &["a; b=\"c\"d"],
        &["a; b=\"c\" d"],
        &["a; \"b\""],
        &["\"a\""],
        &["caf\u{e9}"],
        &["a; b=\u{e9}"],
        &["a; b=\"c", "d\""],
        &["a", "b c"],
    ];
    for lines in cases {
        assert_eq!(parsed(lines), Err(ExtensionError::Malformed), "{lines:?}");
    }
    let control: [&[u8]; 5] = [
        b"a\0b",
        b"a;\x7f",
        b"\xff",
        b"a; b=\"\x01\"",
        b"a; b=\"\\\x80\"",
    ];
    for line in control {
        assert_eq!(
            extension::parse([line].into_iter()).err(),
            Some(ExtensionError::Malformed),
            "{line:?}"
        );
    }
}

/// spec: X-09
#[test]
fn caps() {
    let extensions = |count: usize| vec!["a"; count].join(",");
    let parameters = |count: usize| format!("a{}", ";b".repeat(count));
    assert_eq!(
        parsed(&[&extensions(MAX_ITEMS)]).expect("allowed").len(),
        MAX_ITEMS
    );
    assert_eq!(
        parsed(&[&extensions(MAX_ITEMS + 1)]),
        Err(ExtensionError::TooMany)
    );
    assert_eq!(
        parsed(&[&extensions(MAX_ITEMS), "b"]),
        Err(ExtensionError::TooMany)
    );
    assert_eq!(parsed(&[&extensions(10_000)]), Err(ExtensionError::TooMany));
    assert!(parsed(&[&parameters(MAX_ITEMS)]).is_ok());
    assert_eq!(
        parsed(&[&parameters(MAX_ITEMS + 1)]),
        Err(ExtensionError::TooMany)
    );
    assert!(ExtensionError::TooMany.to_string().contains("too many"));
    assert!(ExtensionError::Malformed.to_string().contains("malformed"));
}

/// spec: X-07: names and values keep their letter case, the reader decides.
#[test]
fn parts() {
    let lines = [b"Permessage-Deflate; Bits=15; flag; q=\"\\a\"".as_slice()];
    let extension = extension::parse(lines.into_iter())
        .expect("good")
        .next()
        .expect("one");
    assert_eq!(extension.name(), "Permessage-Deflate");
    let parameters = extension.parameters().collect::<Vec<_>>();
    let shown = parameters
        .iter()
        .map(|one| (one.name(), one.value()))
        .collect::<Vec<_>>();
    assert_eq!(
        shown,
        [("Bits", Some("15")), ("flag", None), ("q", Some("a"))]
    );
}
