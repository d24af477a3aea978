//! A connection means by a stream what an independent decoder means by it, however the stream is cut and handed over,
//! and replies as that demands.

use ws_testkit::oracle::Receiver;
use ws_testkit::{Delivery, Piece, assert_agrees};

pub(crate) fn run(data: &[u8]) {
    let Some((&flags, rest)) = data.split_first() else {
        return;
    };
    let receiver = match flags & 1 {
        0 => Receiver::SERVER,
        _ => Receiver::CLIENT,
    };
    let receiver = match flags & 2 {
        0 => receiver,
        _ => Receiver {
            max_frame_size: 64,
            max_message_size: 100,
            max_fragments: 3,
            ..receiver
        },
    };
    let delivery = match flags & 12 {
        0 if flags & 128 != 0 => Delivery::PayloadBuffer,
        0 => Delivery::ReceiveBuffer,
        4 if flags & 128 != 0 => Delivery::Alone,
        4 => Delivery::Handed,
        8 if flags & 128 != 0 => Delivery::TakenPayload,
        8 => Delivery::Scratch,
        _ => Delivery::Carried,
    };
    let parks = flags & 16 != 0;
    let streams = flags & 32 != 0;
    let lends = flags & 64 != 0;
    let receiver = match streams {
        false => receiver,
        // Neither limit holds for a message that is delivered in pieces.
        true => Receiver {
            max_frame_size: u64::MAX,
            max_fragments: u64::MAX,
            ..receiver
        },
    };
    let chunks = crate::cuts::cut(rest);
    let pieces = chunks.iter().map(|chunk| Piece {
        len: chunk.len(),
        delivery,
        parks,
        streams,
        lends,
    });
    assert_agrees(receiver, &chunks.concat(), pieces);
}
