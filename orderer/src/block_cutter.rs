//! Cuts a sequence of envelopes into batches, by Fabric's rules.
//!
//! A batch ends when it holds `count_max` envelopes, when the next one would take it beyond
//! `bytes_preferred`, or when its owner's timer says so. An envelope beyond `bytes_preferred`
//! stands alone. The cutter knows no clock.

/// When a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Envelopes in a batch.
    pub count_max: usize,
    /// Bytes in a batch of more than one envelope.
    pub bytes_preferred: usize,
}

/// Envelopes that wait to become a batch. `T` is whatever travels with an envelope.
#[derive(Debug)]
pub struct BlockCutter<T> {
    limits: Limits,
    pending: Vec<T>,
    bytes: usize,
}

impl<T> BlockCutter<T> {
    /// A cutter with nothing pending.
    pub fn new(limits: Limits) -> Self {
        Self { limits, pending: Vec::new(), bytes: 0 }
    }

    /// New limits, from the next envelope on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes an envelope of `bytes` (payload and signature); returns the batches that are complete,
    /// at most two.
    pub fn push(&mut self, envelope: T, bytes: usize) -> Vec<Vec<T>> {
        let mut batches = Vec::new();
        let alone = bytes > self.limits.bytes_preferred;
        if alone || self.bytes + bytes > self.limits.bytes_preferred {
            batches.extend(self.cut());
        }
        self.pending.push(envelope);
        self.bytes += bytes;
        if alone || self.pending.len() >= self.limits.count_max {
            batches.extend(self.cut());
        }
        batches
    }

    /// Ends the batch; nothing if it is empty.
    pub fn cut(&mut self) -> Option<Vec<T>> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.pending);
        (!batch.is_empty()).then_some(batch)
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes envelopes of these sizes into a cutter for three envelopes or ten bytes, then cuts.
    #[track_caller]
    fn check(sizes: &[usize], expected: &[&[usize]]) {
        let mut cutter = BlockCutter::new(Limits { count_max: 3, bytes_preferred: 10 });
        let mut batches = Vec::new();
        for size in sizes {
            batches.extend(cutter.push(*size, *size));
        }
        assert_eq!(cutter.is_empty(), batches.iter().flatten().count() == sizes.len());
        batches.extend(cutter.cut());
        assert_eq!(batches, expected);
        assert!(cutter.is_empty() && cutter.cut().is_none());
    }

    #[test]
    fn batches_end_where_fabric_ends_them() {
        check(&[], &[]);
        check(&[1], &[&[1]]);
        check(&[1, 1, 1], &[&[1, 1, 1]]);
        check(&[1, 1, 1, 1], &[&[1, 1, 1], &[1]]);
        check(&[5, 5], &[&[5, 5]]);
        check(&[5, 5, 1], &[&[5, 5], &[1]]);
        check(&[5, 6], &[&[5], &[6]]);
        check(&[10, 1], &[&[10], &[1]]);
        check(&[1, 10], &[&[1], &[10]]);
        check(&[11], &[&[11]]);
        check(&[1, 11, 1], &[&[1], &[11], &[1]]);
        check(&[11, 11], &[&[11], &[11]]);
        check(&[1, 2, 8, 3], &[&[1, 2], &[8], &[3]]);
        check(&[0, 0, 0, 0], &[&[0, 0, 0], &[0]]);
    }

    #[test]
    fn an_envelope_may_complete_two_batches() {
        let mut cutter = BlockCutter::new(Limits { count_max: 3, bytes_preferred: 10 });
        assert!(cutter.push('a', 4).is_empty());
        assert_eq!(cutter.push('b', 11), [vec!['a'], vec!['b']]);
    }

    #[test]
    fn limits_can_change() {
        let mut cutter = BlockCutter::new(Limits { count_max: 3, bytes_preferred: 10 });
        assert!(cutter.push(1, 1).is_empty());
        cutter.set_limits(Limits { count_max: 1, bytes_preferred: 10 });
        assert_eq!(cutter.push(2, 1), [vec![1, 2]]);
    }
}
