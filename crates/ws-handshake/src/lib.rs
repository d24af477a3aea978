//! The WebSocket opening handshake of RFC 6455 section 4, both roles, without IO.
