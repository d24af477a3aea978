//! An independent encoder of frames, good and bad.

/// A frame to put on the wire, by hand: RFC 6455 §5.2 with every field free, wrong values included.
///
/// It is written without any code of `ws-frame`, so it can serve as its oracle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the three bits `0b100`, `0b010` and `0b001`.
    pub rsv: u8,
    /// The opcode; only the low four bits count.
    pub opcode: u8,
    /// The masking key, if the frame is masked.
    pub mask: Option<[u8; 4]>,
    /// In which form the length is written.
    pub length_form: LengthForm,
    /// What the header says the length is, where that is not the length of the payload.
    pub announced: Option<u64>,
    /// The payload before masking.
    pub payload: Vec<u8>,
}

/// The three forms of a payload length (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthForm {
    /// The shortest that fits, as the RFC demands.
    Shortest,
    /// 126 and two bytes.
    Two,
    /// 127 and eight bytes.
    Eight,
}

impl Frame {
    /// A final, unmasked frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            mask: None,
            length_form: LengthForm::Shortest,
            announced: None,
            payload: payload.into(),
        }
    }

    /// A continuation frame.
    pub fn continuation(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x0, payload)
    }

    /// A text frame; the payload may be no text.
    pub fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x1, payload)
    }

    /// A binary frame.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x2, payload)
    }

    /// A Close frame with this body, good or bad.
    pub fn close_body(body: impl Into<Vec<u8>>) -> Self {
        Self::new(0x8, body)
    }

    /// A Close frame with a code and a reason.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::close_body([&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// A Ping frame.
    pub fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x9, payload)
    }

    /// A Pong frame.
    pub fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0xa, payload)
    }

    /// The same without FIN.
    #[must_use]
    pub const fn not_fin(mut self) -> Self {
        self.fin = false;
        self
    }

    /// The same with these reserved bits (`0b100` is RSV1).
    #[must_use]
    pub const fn with_rsv(mut self, rsv: u8) -> Self {
        self.rsv = rsv;
        self
    }

    /// The same, masked with `key`.
    #[must_use]
    pub const fn masked(mut self, key: [u8; 4]) -> Self {
        self.mask = Some(key);
        self
    }

    /// The same with its length in this form, even if that cannot hold it.
    #[must_use]
    pub const fn with_length_form(mut self, form: LengthForm) -> Self {
        self.length_form = form;
        self
    }

    /// The same with a header that announces `len` bytes.
    #[must_use]
    pub const fn announcing(mut self, len: u64) -> Self {
        self.announced = Some(len);
        self
    }

    /// The header alone.
    pub fn header(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0];
        bytes[0] |= if self.fin { 0b1000_0000 } else { 0 };
        bytes[0] |= (self.rsv % 8) << 4;
        bytes[0] |= self.opcode % 16;
        bytes[1] |= if self.mask.is_some() { 0b1000_0000 } else { 0 };

        let len = self.announced.unwrap_or(self.payload.len() as u64);
        let form = match self.length_form {
            LengthForm::Shortest if len < 126 => None,
            LengthForm::Shortest if len < 65_536 => Some(LengthForm::Two),
            LengthForm::Shortest => Some(LengthForm::Eight),
            form => Some(form),
        };
        match form {
            None => bytes[1] |= len as u8,
            Some(LengthForm::Two) => {
                bytes[1] |= 126;
                bytes.push((len >> 8) as u8);
                bytes.push(len as u8);
            }
            Some(_) => {
                bytes[1] |= 127;
                for shift in [56, 48, 40, 32, 24, 16, 8, 0] {
                    bytes.push((len >> shift) as u8);
                }
            }
        }
        bytes.extend(self.mask.unwrap_or_default().iter().take(match self.mask {
            Some(_) => 4,
            None => 0,
        }));
        bytes
    }

    /// Header and payload as they go over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        let key = self.mask.unwrap_or_default();
        for (index, byte) in self.payload.iter().enumerate() {
            bytes.push(byte ^ key[index % 4]);
        }
        bytes
    }
}
