//! A program that links only if `ws-deflate` with miniz_oxide needs no more than `alloc`: no `std` and no libc.
//!
//! Exit code 0 says that the vectors of RFC 7692 section 7.2.3 are read and that what is compressed is read back, with
//! every window; anything else is the number of the check that failed, or 101 for a panic.

#![no_std]
#![no_main]

extern crate alloc;

mod arena;
mod checks;
#[path = "../../src/platform.rs"]
mod platform;

use core::panic::PanicInfo;

/// Unlike `ws-frame`, this is not shown to be free of panics: the codec is somebody else's.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    platform::exit(101)
}

extern "C" fn proof() -> ! {
    let mut input = [0; 4096];
    let input = platform::read_stdin(&mut input);
    platform::exit(checks::run(input).err().unwrap_or(0))
}
