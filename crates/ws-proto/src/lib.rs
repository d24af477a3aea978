//! The WebSocket connection of RFC 6455 as a state machine without IO, clock or random source.
