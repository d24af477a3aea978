//! What a C library would have brought, for Linux on x86-64.

use core::arch::{asm, global_asm};

// The kernel enters with the stack aligned for nothing in particular; code that uses SSE wants
// it aligned to 16 before a call.
global_asm!(".globl _start", "_start:", "and rsp, -16", "call {proof}", proof = sym crate::proof);

const READ: usize = 0;
const EXIT: usize = 60;

/// As much of standard input as fits and one read gives; nothing on an error.
pub fn read_stdin(buffer: &mut [u8]) -> &[u8] {
    let len: isize;
    // SAFETY: `read` writes at most `buffer.len()` bytes at `buffer`, which is ours to write; the
    // instruction itself clobbers rcx and r11 and nothing else.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") READ as isize => len,
            in("rdi") 0,
            in("rsi") buffer.as_mut_ptr(),
            in("rdx") buffer.len(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    usize::try_from(len)
        .ok()
        .and_then(|len| buffer.get(..len))
        .unwrap_or_default()
}

/// Ends the program.
pub fn exit(code: u8) -> ! {
    // SAFETY: `exit` does not come back and touches no memory of ours.
    unsafe {
        asm!("syscall", in("rax") EXIT, in("rdi") usize::from(code), options(noreturn, nostack));
    }
}

/// The compiler calls these whether or not there is a C library.
///
/// They are byte loops through assembly, since a loop in Rust would be compiled into a call of
/// the very function it is in.
mod memory {
    use core::arch::asm;

    /// # Safety
    ///
    /// That of C's `memcpy`.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(target: *mut u8, source: *const u8, len: usize) -> *mut u8 {
        // SAFETY: the caller vouches for both ranges; the direction flag is clear by the ABI.
        unsafe {
            asm!(
                "rep movsb",
                inout("rcx") len => _,
                inout("rdi") target => _,
                inout("rsi") source => _,
                options(nostack, preserves_flags),
            );
        }
        target
    }

    /// # Safety
    ///
    /// That of C's `memmove`.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(target: *mut u8, source: *const u8, len: usize) -> *mut u8 {
        if target.addr().wrapping_sub(source.addr()) >= len {
            // SAFETY: the caller's word, and no byte is written before it was read.
            return unsafe { memcpy(target, source, len) };
        }
        // SAFETY: the caller vouches for both ranges; from the end, so that no byte is written before it was read, and
        // with the direction flag cleared again, as the ABI wants it.
        unsafe {
            asm!(
                "std",
                "rep movsb",
                "cld",
                inout("rcx") len => _,
                inout("rdi") target.wrapping_add(len).wrapping_sub(1) => _,
                inout("rsi") source.wrapping_add(len).wrapping_sub(1) => _,
                options(nostack),
            );
        }
        target
    }

    /// # Safety
    ///
    /// That of C's `memset`.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(target: *mut u8, value: i32, len: usize) -> *mut u8 {
        // SAFETY: the caller vouches for the range; the direction flag is clear by the ABI.
        unsafe {
            asm!(
                "rep stosb",
                inout("rcx") len => _,
                inout("rdi") target => _,
                in("al") value as u8,
                options(nostack, preserves_flags),
            );
        }
        target
    }

    /// # Safety
    ///
    /// That of C's `memcmp`.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
        let (mut a, mut b): (i32, i32) = (0, 0);
        let mut at = 0;
        while at < len && a == b {
            // SAFETY: `at < len`, and the caller vouches for `len` bytes at both. Volatile, so
            // that the loop is not recognised as what it is.
            (a, b) = unsafe {
                (
                    left.add(at).read_volatile().into(),
                    right.add(at).read_volatile().into(),
                )
            };
            at = at.wrapping_add(1);
        }
        a.wrapping_sub(b)
    }

    /// # Safety
    ///
    /// That of C's `memcmp`.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
        // SAFETY: the caller's word.
        unsafe { memcmp(left, right, len) }
    }
}
