//! The codecs as a program, for readers and writers in other languages: requests on standard input, answers on standard
//! output.
//!
//! A request is a letter, three bytes, two numbers of four bytes each, the lowest first, and as many bytes as the second
//! number says. An answer is a byte, such a number, and as many bytes.
//!
//! | | the three bytes | the first number | the bytes | the answer |
//! |---|---|---|---|---|
//! | `C` | window bits, takeover, level | history | - | nothing: a new compressor |
//! | `c` | compress always, is text, - | size of a piece | a message | 1 and the payload, or 0: it goes as it is |
//! | `D` | window bits, takeover, - | - | - | nothing: a new decompressor |
//! | `d` | - | size of a cut, 0 for none | a payload | 0 and the message, or what is wrong and what came before that |

use std::io::{self, Read, Write};

use ws_deflate::{
    Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, InflateError, Inflated,
    Level, Piece, Terms, WindowBits,
};

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut compressor = None;
    let mut decompressor = None;
    let mut head = [0; 12];
    loop {
        match input.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let [kind, a, b, c, s0, s1, s2, s3, n0, n1, n2, n3] = head;
        let number = |bytes| u32::from_le_bytes(bytes) as usize;
        let size = number([s0, s1, s2, s3]);
        let mut data = vec![0; number([n0, n1, n2, n3])];
        input.read_exact(&mut data)?;
        let (status, answer) = match kind {
            b'C' => {
                compressor = Some(new_compressor(context(a, b)?, c, size)?);
                (0, Vec::new())
            }
            b'D' => {
                decompressor = Some(Decompressor::new(context(a, b)?, &Deflate::default()));
                (0, Vec::new())
            }
            b'c' => {
                let compressor = compressor.as_mut().ok_or(invalid("no compressor"))?;
                let compress = match a {
                    0 => Compress::Auto,
                    _ => Compress::Always,
                };
                match compressed(compressor, &data, compress, b != 0, size.max(1)) {
                    Some(payload) => (1, payload),
                    None => (0, Vec::new()),
                }
            }
            b'd' => {
                let decompressor = decompressor.as_mut().ok_or(invalid("no decompressor"))?;
                decompressed(decompressor, &data, size)
            }
            _ => return Err(invalid("no such request")),
        };
        let len = u32::try_from(answer.len()).map_err(|_| invalid("too long"))?;
        output.write_all(&[status])?;
        output.write_all(&len.to_le_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
    }
}

fn context(bits: u8, takeover: u8) -> io::Result<Context> {
    Ok(Context {
        takeover: takeover != 0,
        window: WindowBits::new(bits).ok_or(invalid("no such window"))?,
    })
}

fn new_compressor(context: Context, level: u8, history: usize) -> io::Result<Compressor> {
    let config = DeflateConfig::default()
        .with_terms(Terms::default())
        .with_level(Level::new(level).ok_or(invalid("no such level"))?)
        .with_history(history)
        // With all the history there is, a context of its own serves it better.
        .with_live_contexts(usize::from(history > 0xffff));
    Ok(Compressor::new(context, &Deflate::new(config)))
}

fn compressed(
    compressor: &mut Compressor,
    message: &[u8],
    compress: Compress,
    is_text: bool,
    size: usize,
) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    let mut rest = message;
    loop {
        let (plain, behind) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        let piece = Piece {
            plain,
            is_text,
            is_first: rest.len() == message.len(),
            is_last: behind.is_empty(),
        };
        payload.extend(compressor.compress(piece, compress)?);
        if behind.is_empty() {
            return Some(payload);
        }
        rest = behind;
    }
}

fn decompressed(decompressor: &mut Decompressor, payload: &[u8], size: usize) -> (u8, Vec<u8>) {
    let mut message = Vec::new();
    let mut rest = payload;
    loop {
        let size = if size == 0 { rest.len() } else { size };
        let (mut cut, behind) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        rest = behind;
        loop {
            match decompressor.inflate(&mut cut, rest.is_empty()) {
                Ok(Inflated::Output(piece)) => message.extend_from_slice(piece),
                Ok(Inflated::NeedInput) => break,
                Ok(Inflated::Done) => return (0, message),
                Err(InflateError::Empty) => return (1, message),
                Err(InflateError::Data) => return (2, message),
                Err(InflateError::Truncated) => return (3, message),
                Err(InflateError::TooManyBlocks) => return (4, message),
                Err(_) => return (255, message),
            }
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
