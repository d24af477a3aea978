//! Blocking WebSocket.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
mod error;
mod mask_keys;
mod stream;
mod timed;
mod websocket;
pub use error::Error;
pub use stream::{Stream, Untimed};
pub use websocket::WebSocket;
pub use ws_proto::{
    CloseCode, CloseFrame, CloseInfo, Config, Event, Initiator, Message, ProtocolError, Role,
    SendError, State, Utf8Bytes,
};
