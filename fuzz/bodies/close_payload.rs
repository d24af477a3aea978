//! The body of a Close frame is taken if and only if it is one that may be sent.

use ws_frame::{CloseCode, ClosePayload, ClosePayloadError};

pub(crate) fn run(data: &[u8]) {
    match ClosePayload::parse(data) {
        Ok(None) => assert!(data.is_empty()),
        Ok(Some((code, reason))) => {
            let built = ClosePayload::new(code, reason).expect("what is taken may be sent");
            assert_eq!(built.as_bytes(), data);
            assert_eq!((built.code(), built.reason()), (Some(code), reason));
        }
        Err(error) => {
            assert_eq!(error, reason_to_refuse(data));
            assert!(error.close_code().is_allowed_on_wire());
        }
    }
}

/// RFC 6455 sections 5.5.1 and 7.4, in the order of the bytes.
fn reason_to_refuse(body: &[u8]) -> ClosePayloadError {
    let &[high, low, ref reason @ ..] = body else {
        assert_eq!(body.len(), 1);
        return ClosePayloadError::Truncated;
    };
    let code = u16::from_be_bytes([high, low]);
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 if reason.len() > 123 => {
            ClosePayloadError::ReasonTooLong
        }
        1000..=1003 | 1007..=1014 | 3000..=4999 => {
            assert!(core::str::from_utf8(reason).is_err());
            ClosePayloadError::ReasonNotUtf8
        }
        _ => ClosePayloadError::Code(CloseCode::new(code)),
    }
}
