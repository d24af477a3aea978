//! What one end wants of the four parameters: offering, accepting, confirming.

use core::fmt;

use crate::{Agreement, Answer, ClientWindow, Offer, WindowBits};

/// What one end wants: of what it sends itself, and of what it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// Whether messages that are sent may refer to messages before them, if the peer allows it.
    pub send_takeover: bool,
    /// The smallest window that a server's own compressor can keep to: an offer of a smaller one is declined. A client
    /// offers to limit its window unless this is [`WindowBits::MAX`], and then keeps to what it is told.
    pub send_min_window: WindowBits,
    /// The largest window that is used for sending. The peer is told if it asks (section 7.1.2.1).
    pub send_max_window: WindowBits,
    /// Whether messages that are received may refer to messages before them. If not, a server demands it, and a client
    /// offers nothing else.
    pub receive_takeover: bool,
    /// What a server asks of a client that offers `client_max_window_bits`: to use no larger window (RFC 7692 section
    /// 7.1.2.2). A connection with takeover costs this end so much memory at most. Of a client that does not offer it
    /// nothing can be asked; its window is then [`WindowBits::MAX`].
    pub client_max_window_bits: WindowBits,
    /// What a client demands of a server: to use no larger window (section 7.1.2.1). Below [`WindowBits::MAX`] it is
    /// part of the offer, and a server that cannot keep to it declines: then nothing is compressed in either direction.
    pub server_max_window_bits: WindowBits,
}

impl Default for Terms {
    /// Takes everything, and asks for nothing.
    fn default() -> Self {
        Self {
            send_takeover: true,
            send_min_window: WindowBits::MIN,
            send_max_window: WindowBits::MAX,
            receive_takeover: true,
            client_max_window_bits: WindowBits::MAX,
            server_max_window_bits: WindowBits::MAX,
        }
    }
}

impl Terms {
    /// A server's answer to the first of the client's offers that it can accept, in the client's order of preference
    /// (RFC 7692 section 5.1); `None` if there is none.
    pub fn accept(&self, offers: impl Iterator<Item = Offer>) -> Option<Answer> {
        let mut offers = offers;
        offers.find_map(|offer| self.accept_one(&offer))
    }

    fn accept_one(&self, offer: &Offer) -> Option<Answer> {
        // "accepts by including the parameter with the same or smaller value" (section 7.1.2.1), also when it is 15.
        let server_max_window_bits = match offer.server_max_window_bits {
            Some(bits) if bits < self.send_min_window => return None,
            Some(bits) => Some(bits.min(self.send_max_window.max(self.send_min_window))),
            None => None,
        };
        let largest = match offer.client_max_window_bits {
            // "a server MUST NOT" (section 7.1.2.2) limit it then.
            ClientWindow::Fixed => WindowBits::MAX,
            ClientWindow::Limitable => self.client_max_window_bits,
            ClientWindow::Hint(bits) => bits.min(self.client_max_window_bits),
        };
        Some(Answer {
            server_no_context_takeover: offer.server_no_context_takeover || !self.send_takeover,
            // A client that says that it will not refer back is held to it: nothing is kept for it.
            client_no_context_takeover: offer.client_no_context_takeover || !self.receive_takeover,
            server_max_window_bits,
            client_max_window_bits: (largest < WindowBits::MAX).then_some(largest),
        })
    }

    /// A client's offer.
    #[must_use]
    pub fn offer(&self) -> Offer {
        let demands = self.server_max_window_bits < WindowBits::MAX;
        Offer {
            server_no_context_takeover: !self.receive_takeover,
            client_no_context_takeover: !self.send_takeover,
            server_max_window_bits: demands.then_some(self.server_max_window_bits),
            client_max_window_bits: match self.send_min_window {
                WindowBits::MAX => ClientWindow::Fixed,
                _ => ClientWindow::Limitable,
            },
        }
    }
}

impl Answer {
    /// A client's check of the answer to what it offered.
    ///
    /// # Errors
    ///
    /// The connection fails (section 5.1).
    pub fn confirm(&self, offered: &Offer) -> Result<Agreement, AnswerError> {
        if offered.server_no_context_takeover && !self.server_no_context_takeover {
            return Err(AnswerError::ServerTakeover);
        }
        if let Some(offered) = offered.server_max_window_bits
            && self
                .server_max_window_bits
                .is_none_or(|bits| bits > offered)
        {
            return Err(AnswerError::ServerWindow);
        }
        if self.client_max_window_bits.is_some()
            && offered.client_max_window_bits == ClientWindow::Fixed
        {
            return Err(AnswerError::ClientWindow);
        }
        Ok(self.agreement())
    }
}

/// Why an answer does not fit what was offered. The server wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// `server_no_context_takeover` was asked for and is not granted (section 7.1.1.1).
    ServerTakeover,
    /// `server_max_window_bits` was asked for and is not granted, or a larger window is (section 7.1.2.1).
    ServerWindow,
    /// `client_max_window_bits` limits a window that the client did not say it can limit (section 7.1.2.2).
    ClientWindow,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerTakeover => "the server did not accept server_no_context_takeover",
            Self::ServerWindow => "the server did not accept server_max_window_bits",
            Self::ClientWindow => "the server limits the client's window, which was not offered",
        })
    }
}

impl core::error::Error for AnswerError {}
