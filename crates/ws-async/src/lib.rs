//! WebSocket on tokio.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
mod error;
mod mask_keys;
mod scratch;
mod websocket;
pub use error::Error;
pub use websocket::WebSocket;
pub use ws_proto::{
    CloseCode, CloseFrame, CloseInfo, Config, Event, Initiator, Message, ProtocolError, Role,
    SendError, State, Utf8Bytes,
};
