//! Time as the kernel counts it.

use std::ops::{AddAssign, Sub};
use std::time::{Duration, Instant};

/// One tick of the counters in `/proc/<pid>/stat`, which Linux fixes for all programs.
const TICK: Duration = Duration::from_millis(10);

/// Time on the wall and time on processors.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spent {
    /// What a clock on the wall shows.
    pub(crate) wall: Duration,
    /// What all threads of this process together used of the processors.
    pub(crate) cpu: Duration,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let wall = self.wall.saturating_sub(other.wall);
        Self { wall, cpu: self.cpu.saturating_sub(other.cpu) }
    }
}

/// Measures from its creation on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    begun: Instant,
    cpu: Duration,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), cpu: process() }
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { wall: self.begun.elapsed(), cpu: process().saturating_sub(self.cpu) }
    }
}

/// Processor time of all threads of this process, those that ended included.
fn process() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold anything. User and system time are the
    // twelfth and thirteenth field behind it.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// Processor time of the calling thread.
pub(crate) fn thread() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_takes_time_and_sleeping_takes_none() {
        let watch = Watch::start();
        let begun = thread();
        while thread() - begun < 5 * TICK {
            std::hint::black_box(proto::sha256(&[0; 4096]));
        }
        let worked = watch.spent();
        assert!(worked.cpu >= 4 * TICK && worked.wall >= 4 * TICK, "{worked:?}");
        let begun = thread();
        std::thread::sleep(5 * TICK);
        assert!(thread() - begun < 5 * TICK);
    }
}
