//! Checksums: of each entry, and of all entries of a tree.

/// Length of the checksum behind a value.
pub(super) const CHECKSUM: usize = 4;

/// Key of the tally. No other key begins with two such bytes.
pub(super) const KEY: [u8; 8] = [0xff; 8];

/// Puts the checksum of key and value behind the value.
pub(super) fn seal(key: &[u8], value: &mut Vec<u8>) {
    let sum = checksum(key, value);
    value.extend_from_slice(&sum.to_be_bytes());
}

/// The checksum behind a value, if it is right.
pub(super) fn verify(key: &[u8], sealed: &[u8]) -> Option<u32> {
    let (value, sum) = sealed.split_last_chunk::<CHECKSUM>()?;
    let sum = u32::from_be_bytes(*sum);
    (checksum(key, value) == sum).then_some(sum)
}

/// The checksum behind a value that was sealed just now.
pub(super) fn stored(sealed: &[u8]) -> u32 {
    sealed.last_chunk::<CHECKSUM>().map_or(0, |sum| u32::from_be_bytes(*sum))
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_be_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

/// All entries of a tree in short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    entries: u64,
    /// Sum of their checksums.
    sum: u64,
    /// Batches that each tree of the database had seen, in the order of the specs.
    pub(super) batches: Vec<u64>,
}

impl Tally {
    /// That of an empty tree.
    pub(super) fn of_none(batches: Vec<u64>) -> Self {
        Self { batches, ..Self::default() }
    }

    pub(super) fn add(&mut self, checksum: u32) {
        self.entries = self.entries.wrapping_add(1);
        self.sum = self.sum.wrapping_add(u64::from(checksum));
    }

    pub(super) fn remove(&mut self, checksum: u32) {
        self.entries = self.entries.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(u64::from(checksum));
    }

    /// The mark of a tree whose entries are being removed: a sum that nothing has.
    pub(super) fn clearing(&self) -> Self {
        Self { entries: 0, sum: u64::MAX, batches: self.batches.clone() }
    }

    pub(super) fn is_clearing(&self) -> bool {
        self.entries == 0 && self.sum == u64::MAX
    }

    /// Whether two tallies are of the same entries.
    pub(super) fn is_of_same(&self, other: &Self) -> bool {
        (self.entries, self.sum) == (other.entries, other.sum)
    }

    /// The value under [`KEY`].
    pub(super) fn to_sealed(&self) -> Vec<u8> {
        let numbers = [self.entries, self.sum].into_iter().chain(self.batches.iter().copied());
        let mut out: Vec<u8> = numbers.flat_map(u64::to_be_bytes).collect();
        seal(&KEY, &mut out);
        out
    }

    pub(super) fn from_sealed(sealed: &[u8]) -> Option<Self> {
        verify(&KEY, sealed)?;
        let (value, _) = sealed.split_last_chunk::<CHECKSUM>()?;
        let mut numbers = value.chunks_exact(8).map(|it| it.try_into().map(u64::from_be_bytes));
        let mut next = || numbers.next()?.ok();
        let (entries, sum) = (next()?, next()?);
        let batches = std::iter::from_fn(next).collect();
        Some(Self { entries, sum, batches })
    }
}
