//! The server of the browser page.

fn main() {}
