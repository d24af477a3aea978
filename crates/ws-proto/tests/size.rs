//! What a connection costs while it does nothing.

use ws_proto::{CloseInfo, Connection, Event, ProtocolError};

/// Thousands of connections wait, each inside a task or a struct of its binding, and hold no buffers then: this is
/// what they cost. What few connections have, or have for a moment only, is boxed.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_connection_stays_small() {
    let size = size_of::<Connection>();
    assert!(size <= 616, "{size}");
}

/// They are moved on every call.
#[cfg(target_pointer_width = "64")]
#[test]
fn what_is_handed_out_stays_small() {
    assert!(size_of::<Event>() <= 48, "{}", size_of::<Event>());
    let size = size_of::<ProtocolError>();
    assert!(size <= 16, "{size}");
    assert!(size_of::<CloseInfo>() <= 80, "{}", size_of::<CloseInfo>());
}
