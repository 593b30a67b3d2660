//! Summaries of range reads too long to list.
//!
//! Up to `degree` reads are listed; more are hashed in groups of `degree + 1`, and the hashes
//! again, so that a summary has at most `degree` hashes.

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::range_query_info::ReadsInfo;
use proto::kvrwset::{KvRead, QueryReads, QueryReadsMerkleSummary};

/// Reads that an endorser lists before it begins to hash.
pub(crate) const DEGREE: u32 = 50;

/// Summarizes the reads of one range query.
#[derive(Debug)]
pub(crate) struct Summary {
    degree: usize,
    pending: Vec<KvRead>,
    /// Hashes of each level, from level 1.
    levels: Vec<Vec<[u8; 32]>>,
}

impl Summary {
    /// A summary; the degree is at least 2, or levels would never shrink.
    pub(crate) fn new(degree: u32) -> Option<Self> {
        let degree = usize::try_from(degree).ok().filter(|degree| *degree >= 2)?;
        Some(Self { degree, pending: Vec::new(), levels: Vec::new() })
    }

    pub(crate) fn add(&mut self, read: KvRead) {
        self.pending.push(read);
        if self.pending.len() > self.degree {
            self.hash_pending();
        }
    }

    fn hash_pending(&mut self) {
        let reads = QueryReads { kv_reads: std::mem::take(&mut self.pending) };
        self.push(0, proto::sha256(&reads.encode_to_vec()));
        let mut level = 0;
        while self.levels.get(level).is_some_and(|hashes| hashes.len() > self.degree) {
            self.collapse(level);
            level += 1;
        }
    }

    /// Replaces the hashes of a level by one hash of them all on the next.
    fn collapse(&mut self, level: usize) {
        let hashes = self.levels.get_mut(level).map(std::mem::take).unwrap_or_default();
        self.push(level + 1, proto::sha256(&hashes.concat()));
    }

    fn push(&mut self, level: usize, hash: [u8; 32]) {
        if self.levels.len() <= level {
            self.levels.resize(level + 1, Vec::new());
        }
        if let Some(hashes) = self.levels.get_mut(level) {
            hashes.push(hash);
        }
    }

    /// What is recorded: nothing for no reads, the reads, or their hashes.
    pub(crate) fn finish(mut self) -> Option<ReadsInfo> {
        if self.levels.is_empty() {
            let reads = QueryReads { kv_reads: self.pending };
            return (!reads.kv_reads.is_empty()).then_some(ReadsInfo::RawReads(reads));
        }
        if !self.pending.is_empty() {
            self.hash_pending();
        }
        let top = self.levels.len() - 1;
        for level in 0..top {
            match self.levels.get_mut(level).map(Vec::as_mut_slice) {
                None | Some([]) => {}
                Some([only]) => {
                    let only = *only;
                    self.push(level + 1, only);
                }
                Some(_) => self.collapse(level),
            }
        }
        if self.levels.get(top).is_some_and(|hashes| hashes.len() > self.degree) {
            self.collapse(top);
        }
        let hashes = self.levels.last().into_iter().flatten();
        Some(ReadsInfo::ReadsMerkleHashes(QueryReadsMerkleSummary {
            max_degree: u32::try_from(self.degree).unwrap_or(u32::MAX),
            max_level: u32::try_from(self.levels.len()).unwrap_or(u32::MAX),
            max_level_hashes: hashes.map(|hash| Bytes::copy_from_slice(hash)).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::kvrwset::Version;

    fn summarize(degree: u32, reads: usize) -> Option<ReadsInfo> {
        let mut summary = Summary::new(degree).unwrap();
        for number in 0..reads {
            let version = Some(Version { block_num: 18, tx_num: 0 });
            summary.add(KvRead { key: format!("k{number:04}"), version });
        }
        summary.finish()
    }

    #[test]
    fn hashes_are_those_of_fabric() {
        let Some(ReadsInfo::ReadsMerkleHashes(found)) = summarize(DEGREE, 120) else {
            panic!("not hashed");
        };
        let hashes: Vec<_> = found.max_level_hashes.iter().map(hex::encode).collect();
        assert_eq!((found.max_degree, found.max_level), (50, 1));
        assert_eq!(
            hashes,
            [
                "7719e1c54d097cd61a18f1c88e5b9180d5c713961a67f4f67b6b5688f996069d",
                "cfa8fde90372ed95dcb7ce86b884373e489547e9ebdda4678392cd8c10fcec44",
                "065915e4359c80e22fb3d663dd058b090cf66d3dfe5542e8a0e522afdc28c461",
            ]
        );
    }

    #[test]
    fn short_reads_are_listed() {
        assert_eq!(summarize(DEGREE, 0), None);
        assert!(matches!(summarize(DEGREE, 50), Some(ReadsInfo::RawReads(_))));
        assert!(matches!(summarize(DEGREE, 51), Some(ReadsInfo::ReadsMerkleHashes(_))));
    }

    #[test]
    fn a_summary_never_exceeds_its_degree() {
        for reads in 0..400 {
            if let Some(ReadsInfo::ReadsMerkleHashes(found)) = summarize(2, reads) {
                assert!((1..=2).contains(&found.max_level_hashes.len()), "{reads}");
            }
        }
        assert!(Summary::new(1).is_none());
    }
}
