//! What rarely happens, told to the compiler.

/// Gives `condition` back, which is rarely true. What happens then is put behind everything else: each system call has
/// emptied the instruction cache, so that a message takes as long as there are cache lines of code on its way.
#[inline(always)]
pub(crate) const fn rarely(condition: bool) -> bool {
    if condition {
        cold();
    }
    condition
}

#[cold]
#[inline]
const fn cold() {}
