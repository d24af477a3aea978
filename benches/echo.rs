//! An echo server without sockets: masked frames in, their echo out, through one `Connection`, with the buffers a
//! binding uses. Shared by the two benchmarks of the connection.

use bytes::{Buf, BytesMut};
use ws_frame::{MaskKey, Opcode};
use ws_proto::{Compress, Config, Connection, Event, Lent};

use crate::frames;

/// What one read brings.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    opcode: Opcode,
    payload: fn() -> Vec<u8>,
    pub(crate) frames_per_read: usize,
    /// Whether messages are answered where they lie, or taken.
    lends: bool,
    /// Whether only the connection counts, and not the read buffer around it.
    pub(crate) is_alone: bool,
}

pub(crate) const CASES: [Case; 16] = [
    Case::new("125 B binary", Opcode::Binary, || binary(125), 1),
    Case::new("125 B binary", Opcode::Binary, || binary(125), 16),
    Case::new("4 KiB binary", Opcode::Binary, || binary(4096), 1),
    Case::new("4 KiB binary", Opcode::Binary, || binary(4096), 4),
    Case::new("4 KiB binary", Opcode::Binary, || binary(4096), 16),
    Case::new("64 KiB binary", Opcode::Binary, || binary(65_536), 1),
    Case::new("64 KiB binary", Opcode::Binary, || binary(65_536), 16),
    Case::new("4 KiB Chinese text", Opcode::Text, || chinese(4096), 1),
    Case::new("4 KiB Chinese text", Opcode::Text, || chinese(4096), 16),
    Case::new("125 B binary, lent", Opcode::Binary, || binary(125), 1).lending(),
    Case::new("125 B binary, lent", Opcode::Binary, || binary(125), 16).lending(),
    Case::new("4 KiB binary, lent", Opcode::Binary, || binary(4096), 1).lending(),
    Case::new("4 KiB binary, lent", Opcode::Binary, || binary(4096), 4).lending(),
    Case::new("4 KiB binary, lent", Opcode::Binary, || binary(4096), 16).lending(),
    Case::new(
        "125 B binary, lent, codec alone",
        Opcode::Binary,
        || binary(125),
        1,
    )
    .lending()
    .alone(),
    Case::new(
        "125 B binary, lent, codec alone",
        Opcode::Binary,
        || binary(125),
        16,
    )
    .lending()
    .alone(),
];

/// The read buffer of `ws-async`, which is shared by all connections of a thread.
const READ_BUFFER_MIN: usize = 68 * 1024;

pub(crate) struct Echo {
    connection: Connection,
    read_buffer: BytesMut,
    read_buffer_len: usize,
    input: Vec<u8>,
    written: usize,
    lends: bool,
}

impl Case {
    const fn new(
        name: &'static str,
        opcode: Opcode,
        payload: fn() -> Vec<u8>,
        frames_per_read: usize,
    ) -> Self {
        Self {
            name,
            opcode,
            payload,
            frames_per_read,
            lends: false,
            is_alone: false,
        }
    }

    const fn lending(mut self) -> Self {
        self.lends = true;
        self
    }

    const fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// The server, once it has echoed this case's bytes correctly.
    pub(crate) fn server(&self) -> Echo {
        let payload = (self.payload)();
        let (mut input, mut expected) = (Vec::new(), Vec::new());
        for number in 0..self.frames_per_read {
            let key = MaskKey::new([0x37, 0xfa, 0x21, number as u8]);
            frames::put(&mut input, self.opcode, Some(key), &payload);
            frames::put(&mut expected, self.opcode, None, &payload);
        }
        let mut echo = Echo {
            connection: Connection::server(Config::default()),
            read_buffer: BytesMut::new(),
            read_buffer_len: input.len().max(READ_BUFFER_MIN),
            input,
            written: 0,
            lends: self.lends,
        };
        let mut sent = Vec::new();
        echo.turn_into(|chunk| sent.extend_from_slice(chunk));
        assert!(sent == expected, "{}: the echo is wrong", self.name);
        echo
    }
}

impl Echo {
    /// One read, the echo of every message in it, and the writes. Gives the number of bytes written.
    #[inline(never)]
    pub(crate) fn turn(&mut self) -> usize {
        self.written = 0;
        self.turn_into(|_| {});
        self.written
    }

    #[inline(always)]
    fn turn_into(&mut self, mut wire: impl FnMut(&[u8])) {
        if !self.read_buffer.try_reclaim(self.read_buffer_len) {
            self.read_buffer = BytesMut::with_capacity(self.read_buffer_len);
        }
        self.read_buffer.extend_from_slice(&self.input);
        self.connection.handle_received(self.read_buffer.split());
        match self.lends {
            true => self.echo_lent(&mut wire),
            false => self.echo_owned(&mut wire),
        }
        self.connection.park();
    }

    /// Never inlined, so that what the connection does can be counted alone.
    #[inline(never)]
    fn echo_lent(&mut self, wire: &mut impl FnMut(&[u8])) {
        while let Some(lent) = self
            .connection
            .poll_lent()
            .expect("the input breaks no rule")
        {
            if lent != Lent::Message {
                continue;
            }
            if self.connection.wants_flush() {
                self.write(wire);
            }
            let lent = self.connection.lent_with_replies();
            let (message, mut replies) = lent.expect("it was found");
            replies
                .send(message, Compress::Auto)
                .expect("what was queued has been written");
        }
        self.write(wire);
    }

    #[inline(always)]
    fn echo_owned(&mut self, wire: &mut impl FnMut(&[u8])) {
        while let Some(event) = self
            .connection
            .poll_event()
            .expect("the input breaks no rule")
        {
            let Event::Message(message) = event else {
                continue;
            };
            if self.connection.wants_flush() {
                self.write(wire);
            }
            self.connection
                .send(message)
                .expect("what was queued has been written");
        }
        self.write(wire);
    }

    /// Takes everything that is owed, chunk by chunk, and lends the memory that it was put together in for the next, as
    /// `ws-async` does.
    fn write(&mut self, wire: &mut impl FnMut(&[u8])) {
        let mut memory = Vec::new();
        let transmit = self.connection.transmit();
        while transmit.has_remaining() {
            let chunk = transmit.chunk();
            wire(chunk);
            let count = chunk.len();
            memory = transmit.advance_and_reclaim(count);
            self.written += count;
        }
        transmit.lend_memory(memory);
    }
}

fn binary(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31) as u8).collect()
}

/// Running text of three-byte characters with some ASCII in it, filled up with ASCII.
fn chinese(len: usize) -> Vec<u8> {
    const SENTENCE: &str = "这是一个用来测量速度的句子，它有 30 个字左右。";
    let mut text = SENTENCE.repeat(len / SENTENCE.len()).into_bytes();
    text.resize(len, b'.');
    text
}
