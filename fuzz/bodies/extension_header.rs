//! A list of extensions is read without limitless work, and its canonical form says the same.

use ws_handshake::extension::{self, MAX_ITEMS};

pub(crate) fn run(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n');
    let Ok(extensions) = extension::parse(lines) else {
        return;
    };
    let extensions: Vec<_> = extensions.collect();
    assert!((1..=MAX_ITEMS).contains(&extensions.len()));
    for extension in &extensions {
        assert!(is_token(extension.name()));
        assert!(extension.parameters().count() <= MAX_ITEMS);
        for parameter in extension.parameters() {
            assert!(is_token(parameter.name()) && parameter.value().is_none_or(is_token));
        }
    }
    let canonical: Vec<String> = extensions.iter().map(ToString::to_string).collect();
    let joined = canonical.join(", ");
    let again = extension::parse([joined.as_bytes()].into_iter()).expect("the canonical form");
    assert!(again.map(|extension| extension.to_string()).eq(canonical));
}

/// RFC 9110 section 5.6.2, by what a token may not have.
fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}
