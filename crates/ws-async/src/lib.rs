//! WebSocket client and server on tokio, over any AsyncRead + AsyncWrite.
