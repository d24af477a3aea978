//! The four parameters: what is offered, answered and agreed (RFC 7692 sections 5.1 and 7.1).

use core::fmt;

use crate::WindowBits;

/// The extension's name in `Sec-WebSocket-Extensions` (RFC 7692 section 7).
pub const EXTENSION_NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// One offer of the extension: an element of a client's `Sec-WebSocket-Extensions` (section 7.1). `Display` writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 7692 has four parameters, and an unknown one is declined"
)]
pub struct Offer {
    /// The server shall start each message with an empty window (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client hints that it will, whatever the server answers (section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server shall use a window of this size at most (section 7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// Whether the server may limit the client's window (section 7.1.2.2).
    pub client_max_window_bits: ClientWindow,
}

/// What an offer says of `client_max_window_bits` (section 7.1.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the parameter is absent, or present without or with a value"
)]
pub enum ClientWindow {
    /// Nothing: the server must not limit the client's window.
    #[default]
    Fixed,
    /// The server may limit it.
    Limitable,
    /// The server may limit it, and the client will hardly use more than this.
    Hint(WindowBits),
}

/// A server's answer to an [`Offer`] (section 7.1). `Display` writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 7692 has four parameters, and an unknown one fails the connection"
)]
pub struct Answer {
    /// The server will start each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client must start each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The server will use a window of this size at most.
    pub server_max_window_bits: Option<WindowBits>,
    /// The client must use a window of this size at most.
    pub client_max_window_bits: Option<WindowBits>,
}

/// What both ends agreed on, direction by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there are two directions")]
pub struct Agreement {
    /// From the server to the client.
    pub server: Context,
    /// From the client to the server.
    pub client: Context,
}

/// What is agreed for one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the parameters of section 7.1 are about these two things"
)]
pub struct Context {
    /// Whether a message may refer to messages before it.
    pub takeover: bool,
    /// How far back it may refer.
    pub window: WindowBits,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            takeover: true,
            window: WindowBits::MAX,
        }
    }
}

/// Why the parameters of an offer or an answer cannot be used. The peer wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterError {
    /// Not one of the four.
    Unknown,
    /// The same parameter twice.
    Duplicate,
    /// A window size that is not 8 to 15, in decimal and without a leading zero, or none where there must be one.
    WindowBits,
    /// A value where there must be none.
    UnexpectedValue,
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "permessage-deflate has no such parameter",
            Self::Duplicate => "a permessage-deflate parameter occurs twice",
            Self::WindowBits => "a permessage-deflate window is not 8 to 15 bits",
            Self::UnexpectedValue => "a permessage-deflate parameter has a value and must not",
        })
    }
}

impl core::error::Error for ParameterError {}

/// The parameters as they are written.
#[derive(Default)]
struct Written {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    client_max_window_bits: Option<Option<WindowBits>>,
}

impl Written {
    fn parse<'a>(
        parameters: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, ParameterError> {
        let bits = |value| WindowBits::parse(value).ok_or(ParameterError::WindowBits);
        let mut written = Self::default();
        for (name, value) in parameters {
            let is_duplicate = match name {
                SERVER_NO_CONTEXT_TAKEOVER => flag(&mut written.server_no_context_takeover, value)?,
                CLIENT_NO_CONTEXT_TAKEOVER => flag(&mut written.client_no_context_takeover, value)?,
                SERVER_MAX_WINDOW_BITS => {
                    let bits = bits(value.ok_or(ParameterError::WindowBits)?)?;
                    written.server_max_window_bits.replace(bits).is_some()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = value.map(bits).transpose()?;
                    written.client_max_window_bits.replace(bits).is_some()
                }
                _ => return Err(ParameterError::Unknown),
            };
            if is_duplicate {
                return Err(ParameterError::Duplicate);
            }
        }
        Ok(written)
    }
}

/// Sets a parameter that has no value; whether it was set.
fn flag(flag: &mut bool, value: Option<&str>) -> Result<bool, ParameterError> {
    match value {
        None => Ok(core::mem::replace(flag, true)),
        Some(_) => Err(ParameterError::UnexpectedValue),
    }
}

impl Offer {
    /// Reads the parameters of an offer, names and values, without quotes and escapes.
    ///
    /// ```
    /// use ws_deflate::{ClientWindow, Offer};
    ///
    /// let browsers = [("client_max_window_bits", None)];
    /// let offer = Offer::parse(browsers.into_iter())?;
    /// assert_eq!(offer.client_max_window_bits, ClientWindow::Limitable);
    /// assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits");
    /// # Ok::<(), ws_deflate::ParameterError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The offer is to be declined, and the next one looked at (section 5.1).
    pub fn parse<'a>(
        parameters: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, ParameterError> {
        let written = Written::parse(parameters)?;
        Ok(Self {
            server_no_context_takeover: written.server_no_context_takeover,
            client_no_context_takeover: written.client_no_context_takeover,
            server_max_window_bits: written.server_max_window_bits,
            client_max_window_bits: match written.client_max_window_bits {
                None => ClientWindow::Fixed,
                Some(None) => ClientWindow::Limitable,
                Some(Some(bits)) => ClientWindow::Hint(bits),
            },
        })
    }
}

impl Answer {
    /// Reads the parameters of an answer, names and values, without quotes and escapes.
    ///
    /// # Errors
    ///
    /// The connection fails (section 5.1).
    pub fn parse<'a>(
        parameters: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, ParameterError> {
        let written = Written::parse(parameters)?;
        Ok(Self {
            server_no_context_takeover: written.server_no_context_takeover,
            client_no_context_takeover: written.client_no_context_takeover,
            server_max_window_bits: written.server_max_window_bits,
            client_max_window_bits: match written.client_max_window_bits {
                // Without a value it is an offer's (section 7.1.2.2).
                Some(None) => return Err(ParameterError::WindowBits),
                Some(bits) => bits,
                None => None,
            },
        })
    }

    /// What this answer agrees on.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        Agreement {
            server: Context {
                takeover: !self.server_no_context_takeover,
                window: self.server_max_window_bits.unwrap_or_default(),
            },
            client: Context {
                takeover: !self.client_no_context_takeover,
                window: self.client_max_window_bits.unwrap_or_default(),
            },
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_common(
            f,
            self.server_no_context_takeover,
            self.client_no_context_takeover,
            self.server_max_window_bits,
        )?;
        match self.client_max_window_bits {
            ClientWindow::Fixed => Ok(()),
            ClientWindow::Limitable => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            ClientWindow::Hint(bits) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_common(
            f,
            self.server_no_context_takeover,
            self.client_no_context_takeover,
            self.server_max_window_bits,
        )?;
        match self.client_max_window_bits {
            None => Ok(()),
            Some(bits) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
        }
    }
}

/// Writes what is written alike in offers and answers.
fn write_common(
    f: &mut fmt::Formatter<'_>,
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
) -> fmt::Result {
    f.write_str(EXTENSION_NAME)?;
    if server_no_context_takeover {
        write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
    }
    if client_no_context_takeover {
        write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
    }
    if let Some(bits) = server_max_window_bits {
        write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
    }
    Ok(())
}
