//! Frames as they are on the wire.

use ws_frame::{FrameHeader, MaskKey, Opcode, Rsv};

/// Appends a frame of a whole message.
pub(crate) fn put(to: &mut Vec<u8>, opcode: Opcode, mask: Option<MaskKey>, payload: &[u8]) {
    let header = FrameHeader {
        fin: true,
        rsv: Rsv::NONE,
        opcode,
        mask,
        payload_len: payload.len() as u64,
    };
    let mut encoded = [0; FrameHeader::MAX_LEN];
    let len = header.encode(&mut encoded);
    to.extend_from_slice(&encoded[..len]);
    let start = to.len();
    to.extend_from_slice(payload);
    if let Some(key) = mask {
        key.apply(0, &mut to[start..]);
    }
}
