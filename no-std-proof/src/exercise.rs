//! Every function of `ws-frame`, on bytes that only the run brings: nothing here can be computed
//! beforehand, so the whole of each is in the program.

use core::{
    fmt::{self, Write},
    hint::black_box,
};

use ws_frame::{
    CloseCode, ClosePayload, FrameHeader, MaskKey, Opcode, Rsv, Utf8Validator, str_from_utf8,
};

/// Reads `input` as frames, one after the other, and gives the exit code: 0 if all are fine and
/// whole, 1 if the last is cut off, else the status code to fail the connection with, less 900.
pub fn run(input: &[u8]) -> u8 {
    let mut text = Utf8Validator::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (header, header_len) = match FrameHeader::parse(rest) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return 1,
            Err(error) => return failed(error.close_code(), &error),
        };
        let Some(after) = rest.get(header_len..) else {
            return 1;
        };
        let Some((masked, after)) = usize::try_from(header.payload_len)
            .ok()
            .and_then(|len| after.split_at_checked(len))
        else {
            return 1;
        };
        rest = after;

        let mut payload = [0; 4096];
        let len = match header.mask {
            Some(key) => unmask(key, masked, &mut payload),
            None => MaskKey::new([0; 4]).apply_into(0, masked, &mut payload),
        };
        let Some(payload) = payload.get_mut(..len) else {
            return 1;
        };
        if let Err(code) = take(&header, payload, &mut text) {
            return code;
        }
        write_back(&header, payload);
    }
    0
}

/// Unmasks once from one buffer to another, and in place in two pieces; both must agree.
fn unmask(key: MaskKey, masked: &[u8], payload: &mut [u8]) -> usize {
    let len = key.apply_into(0, masked, payload);
    let phase = len / 3;
    if let Some((head, tail)) = payload
        .get_mut(..len)
        .and_then(|all| all.split_at_mut_checked(phase))
    {
        for _ in 0..2 {
            key.apply(0, head);
            key.apply(phase, tail);
        }
    }
    len
}

/// What a connection would ask of one frame; the error is the exit code.
fn take(header: &FrameHeader, payload: &[u8], text: &mut Utf8Validator) -> Result<(), u8> {
    match header.opcode {
        Opcode::Text => text.reset(),
        Opcode::Close => {
            return match ClosePayload::parse(payload) {
                Ok(None) => {
                    black_box(ClosePayload::EMPTY);
                    Ok(())
                }
                Ok(Some((code, reason))) => answer(code, reason),
                Err(error) => Err(failed(error.close_code(), &error)),
            };
        }
        opcode if opcode.is_data() => {}
        _ => {
            black_box(str_from_utf8(payload)).ok();
            return Ok(());
        }
    }
    if header.rsv.contains(Rsv::RSV1) || !(header.rsv | Rsv::RSV2).is_empty() {
        black_box(header.rsv.bits());
    }
    text.feed(payload)
        .map_err(|error| failed(error.close_code(), &error))?;
    if header.fin && !text.is_boundary() {
        text.finish()
            .map_err(|error| failed(error.close_code(), &error))?;
    }
    Ok(())
}

fn answer(code: CloseCode, reason: &str) -> Result<(), u8> {
    let payload =
        ClosePayload::new(code, reason).map_err(|error| failed(error.close_code(), &error))?;
    black_box((payload.as_bytes(), payload.code(), payload.reason()));
    // Not `{payload:?}`: the escaping of strings is the one thing in `core::fmt` that keeps panics.
    black_box(write!(Sink, "{code}")).ok();
    Ok(())
}

fn write_back(header: &FrameHeader, payload: &[u8]) {
    let mut out = [0; FrameHeader::MAX_LEN];
    let len = header.encode(&mut out);
    black_box((out, len, header.encoded_len(), payload));
    black_box(&*header.to_bytes());
}

/// Prints the error nowhere, and makes an exit code of the status code.
fn failed(code: CloseCode, error: &dyn fmt::Display) -> u8 {
    black_box(write!(Sink, "{error}")).ok();
    u8::try_from(code.get().saturating_sub(900)).unwrap_or(u8::MAX)
}

/// Takes text and keeps none of it.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        Ok(())
    }
}
