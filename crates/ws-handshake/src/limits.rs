//! What one handshake may cost us before the peer has proved anything.

/// How large a request or response head may be. All limits are inclusive.
///
/// They are checked while the head is still incomplete, so an endless line is refused as soon as it
/// is one byte too long and not when it ends (which it never does). Time is the caller's part: put one
/// deadline on the whole handshake, not on each read.
///
/// ```
/// let mut limits = ws_handshake::Limits::default();
/// limits.max_fields = 40;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the request line or status line, line end not counted. Default 8,192: RFC 9112
    /// section 3 recommends at least 8,000. A server answers 414 beyond it.
    pub max_start_line: usize,
    /// Bytes of one field line, line end not counted. Default 8,192: cookies of several kilobytes
    /// are common. A server answers 431 beyond it.
    pub max_field_line: usize,
    /// Number of field lines. Default 100; a browser behind two proxies sends about 30. A server
    /// answers 431 beyond it.
    pub max_fields: usize,
    /// Bytes of the whole head, its blank line included; for a response also those of the interim
    /// responses before it. Default 32,768. A server answers 431 beyond it. Values above
    /// [`Limits::HEAD_CEILING`] mean that ceiling.
    pub max_head: usize,
}

impl Limits {
    /// The largest head that any setting of [`max_head`](Self::max_head) allows: 16 MiB.
    pub const HEAD_CEILING: usize = 16 * 1024 * 1024;

    pub(crate) fn head(&self) -> usize {
        self.max_head.min(Self::HEAD_CEILING)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_start_line: 8 * 1024,
            max_field_line: 8 * 1024,
            max_fields: 100,
            max_head: 32 * 1024,
        }
    }
}
