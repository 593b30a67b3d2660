//! Memory of one call: a static arena that is never given back, then the standard allocator.
//!
//! Each call has a fresh instance, so freeing matters little, while growing the memory costs the
//! host a system call that does not scale over threads. The arena spares most calls both.

#![allow(unsafe_code, reason = "a global allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

const ARENA_BYTES: usize = 1 << 20;

#[repr(align(16))]
struct Memory(UnsafeCell<[u8; ARENA_BYTES]>);

/// Hands out the arena from the start; takes back only what was handed out last.
struct Arena {
    memory: Memory,
    used: Cell<usize>,
}

// SAFETY: the component model gives an instance one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena =
    Arena { memory: Memory(UnsafeCell::new([0; ARENA_BYTES])), used: Cell::new(0) };

impl Arena {
    fn base(&self) -> *mut u8 {
        self.memory.0.get().cast()
    }

    /// Where a block lies in the arena, if it does.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        (block as usize).checked_sub(self.base() as usize).filter(|offset| *offset < ARENA_BYTES)
    }

    fn is_last(&self, offset: usize, size: usize) -> bool {
        offset + size == self.used.get()
    }
}

// SAFETY: blocks of the arena do not overlap, since `used` only falls when the last block is freed
// or shrunk; all other blocks are the standard allocator's, and go back to it.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.used.get().next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= ARENA_BYTES && layout.align() <= 16 => {
                self.used.set(end);
                // SAFETY: `start` is inside the arena.
                unsafe { self.base().add(start) }
            }
            // SAFETY: passed on as received.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) if self.is_last(offset, layout.size()) => self.used.set(offset),
            Some(_) => {}
            // SAFETY: not of the arena, hence of the standard allocator.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(block) else {
            // SAFETY: not of the arena, hence of the standard allocator.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.is_last(offset, layout.size())
            && offset.checked_add(size).is_some_and(|end| end <= ARENA_BYTES)
        {
            self.used.set(offset + size);
            return block;
        }
        // SAFETY: the layout differs from a valid one by a size the caller vouches for.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks are at least this long, and distinct.
            unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
        }
        moved
    }
}
