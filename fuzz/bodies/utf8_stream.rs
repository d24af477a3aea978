//! Text in chunks is judged as the standard library judges it whole, and fails at the first byte
//! that no text could have there.

use ws_frame::{Utf8Validator, str_from_utf8};

pub(crate) fn run(data: &[u8]) {
    let chunks = crate::cuts::cut(data);
    let text = chunks.concat();
    let expected = core::str::from_utf8(&text);
    assert_eq!(str_from_utf8(&text).ok(), expected.ok());

    let mut validator = Utf8Validator::new();
    let mut before = 0;
    for chunk in chunks {
        if let Err(error) = validator.feed(chunk) {
            let position = error.position().expect("feeding fails at a byte");
            assert!(position < chunk.len());
            assert_eq!(
                str_from_utf8(&text).expect_err("invalid").position(),
                Some(before + position)
            );
            assert!(could_become_text(&text[..before + position]));
            assert!(!could_become_text(&text[..=before + position]));
            return;
        }
        before += chunk.len();
    }
    assert!(could_become_text(&text));
    assert_eq!(validator.finish().is_ok(), expected.is_ok());
    assert_eq!(validator.is_boundary(), expected.is_ok());
}

fn could_become_text(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}
