//! A stream of frames means the same however it is cut, and every header read is the header that
//! would be written.

use ws_frame::{FrameHeader, HeaderError};

pub(crate) fn run(data: &[u8]) {
    let chunks = crate::cuts::cut(data);
    let whole = decode(&[&chunks.concat()]);
    let cut = decode(&chunks);
    assert_eq!(cut, whole);
    for (header, _) in &whole.0 {
        let written = header.to_bytes();
        assert_eq!(
            FrameHeader::parse(&written),
            Ok(Some((*header, written.len())))
        );
    }
}

type Frames = Vec<(FrameHeader, Vec<u8>)>;

/// The frames that are whole, what was wrong after them, and how many bytes are left over.
fn decode(chunks: &[&[u8]]) -> (Frames, Option<HeaderError>, usize) {
    let mut frames = Vec::new();
    let mut buffer = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut rest = &mut buffer[..];
        loop {
            match FrameHeader::parse(rest) {
                Err(error) => return (frames, Some(error), 0),
                Ok(None) => break,
                Ok(Some((header, header_len))) => {
                    let Some(end) = usize::try_from(header.payload_len)
                        .ok()
                        .and_then(|len| len.checked_add(header_len))
                        .filter(|&end| end <= rest.len())
                    else {
                        break;
                    };
                    let (frame, after) = rest.split_at_mut(end);
                    let payload = &mut frame[header_len..];
                    if let Some(key) = header.mask {
                        key.apply(0, payload);
                    }
                    frames.push((header, payload.to_vec()));
                    rest = after;
                }
            }
        }
        let left = rest.len();
        buffer.drain(..buffer.len() - left);
    }
    (frames, None, buffer.len())
}
