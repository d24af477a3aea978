//! Where a fuzzer may cut a stream of bytes.

/// Takes `data` for a number, that many lengths of chunks, and a stream; gives the stream in
/// chunks of those lengths, in turn.
///
/// Without a length other than 0 the stream is one chunk.
pub(crate) fn cut(data: &[u8]) -> Vec<&[u8]> {
    let Some((&count, rest)) = data.split_first() else {
        return Vec::new();
    };
    let (lengths, mut stream) = rest.split_at(usize::from(count).min(rest.len()));
    if lengths.iter().all(|&length| length == 0) {
        return vec![stream];
    }
    let mut chunks = Vec::new();
    for &length in lengths.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let (chunk, rest) = stream.split_at(usize::from(length).min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}
