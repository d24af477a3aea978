//! The bit-level WebSocket codec of RFC 6455 sections 5.2 and 5.3, without std or alloc.
