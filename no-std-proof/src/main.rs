//! A program that links only if `ws-frame` needs neither `std` nor `alloc` nor libc, and only if
//! nothing it exports can panic.
//!
//! The panic handler calls a function that does not exist. As long as the optimizer can show that
//! no panic is reachable, the handler goes away, and the call with it; one reachable panic and the
//! linker fails with `undefined symbol: WS_FRAME_CAN_PANIC`. The README says how to run this, and
//! how to see it fail.

#![no_std]
#![no_main]

mod checks;
mod exercise;
mod platform;

use core::panic::PanicInfo;

unsafe extern "C" {
    /// Defined nowhere.
    safe fn WS_FRAME_CAN_PANIC() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    WS_FRAME_CAN_PANIC()
}

/// Exit codes: 0, or the number of the check that failed, or what `exercise` found in the input.
extern "C" fn proof() -> ! {
    let code = match checks::run() {
        Err(check) => check,
        Ok(()) => {
            let mut input = [0; 4096];
            exercise::run(platform::read_stdin(&mut input))
        }
    };
    platform::exit(code)
}
