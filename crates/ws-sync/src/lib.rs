//! Blocking WebSocket client and server over any Read + Write.
