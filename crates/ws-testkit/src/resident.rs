//! What a process holds on to.

/// The resident memory of this process, in bytes. Pages are taken for the smallest there are.
///
/// A test that looks at it is in a program of its own: others would change it meanwhile.
///
/// # Panics
///
/// When the system does not tell.
#[must_use]
pub fn resident_memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("it can be read");
    let pages = statm.split_whitespace().nth(1).expect("the second field");
    pages.parse::<usize>().expect("a number") * 4096
}
