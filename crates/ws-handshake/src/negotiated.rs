//! What the opening handshake leaves for the connection.

use alloc::string::String;

use ws_deflate::Agreement;

/// What both sides agreed on. The roles see it from two ends, and it is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol, `None` if none was chosen (RFC 6455 section 1.9).
    pub subprotocol: Option<String>,
    /// What was agreed of permessage-deflate (RFC 7692), `None` if messages are not compressed.
    pub deflate: Option<Agreement>,
}
