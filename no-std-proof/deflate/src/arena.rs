//! An allocator that takes from one piece of memory, and takes nothing back.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Without a lock to share codecs behind, each message takes its own: 319 KB to compress, and 43 KB to decompress.
const SIZE: usize = 32 * 1024 * 1024;

#[global_allocator]
static ARENA: Arena = Arena {
    memory: UnsafeCell::new([0; SIZE]),
    used: AtomicUsize::new(0),
};

#[repr(align(4096))]
struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

// SAFETY: each part of the memory is given out once, by an atomic counter.
unsafe impl Sync for Arena {}

// SAFETY: what is given out is within the memory, as large and as aligned as asked for, and nobody else's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let take = |used: usize| {
            let start = used.checked_next_multiple_of(layout.align())?;
            let end = start.checked_add(layout.size())?;
            (end <= SIZE && layout.align() <= 4096).then_some(end)
        };
        match self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(used) => {
                let start = used.next_multiple_of(layout.align());
                // SAFETY: `take` has found `start` and what follows to be within the memory.
                unsafe { self.memory.get().cast::<u8>().add(start) }
            }
            Err(_) => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
