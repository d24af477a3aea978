//! The one list of checks.

fn main() {}
