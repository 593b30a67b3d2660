//! Places for calls: at most so many run at once, the rest wait their turn.

use parking_lot::{Condvar, Mutex};

pub(super) struct Places {
    free: Mutex<u32>,
    freed: Condvar,
}

pub(super) struct Place<'a>(&'a Places);

impl Places {
    pub(super) fn new(count: u32) -> Self {
        Self { free: Mutex::new(count.max(1)), freed: Condvar::new() }
    }

    pub(super) fn take(&self) -> Place<'_> {
        let mut free = self.free.lock();
        self.freed.wait_while(&mut free, |free| *free == 0);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}
