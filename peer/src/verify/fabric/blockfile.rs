//! A Fabric peer's own block files.
//!
//! A file is a sequence of blocks, each behind its length. A block is: its number, data hash and
//! previous hash; the count of transactions, and each; the count of metadata slots, and each. All
//! numbers are varints, hashes and byte strings stand behind their length. A block is never
//! divided between files. A peer that is interrupted leaves a part of a block at the end of its
//! last file, and cuts it off when it starts again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::decode_varint;
use proto::common::{Block, BlockData, BlockHeader, BlockMetadata};

use super::remedy;
use crate::verify::{Difference, Error, Fault, Item, Source, Subject};

/// Longest varint.
const VARINT_MAX: usize = 10;

/// Opens block files in their order.
pub(super) fn open(dir: &Path, files: &[PathBuf]) -> Result<Subject, Error> {
    let source =
        Box::new(BlockFiles { files: files.iter().cloned().collect(), current: None, note: None });
    let (recorded, notes) = (Vec::new(), Vec::new());
    let (dir, blocks, genesis, base) = (dir.to_owned(), None, None, None);
    Ok(Subject { dir, source, blocks, recorded, genesis, base, notes })
}

struct BlockFiles {
    files: VecDeque<PathBuf>,
    current: Option<Current>,
    note: Option<String>,
}

/// The file that is read.
struct Current {
    path: PathBuf,
    file: BufReader<File>,
    offset: u64,
    length: u64,
}

/// What stands at an offset.
enum Next {
    Block(Bytes),
    End,
    /// Less than the length in front of it says.
    Torn,
}

impl Source for BlockFiles {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(path) = self.files.pop_front() else { return Ok(None) };
                self.current = Some(Current::open(path).map_err(Fault::Unreadable)?);
                continue;
            };
            let (path, offset) = (current.path.clone(), current.offset);
            match current.next().map_err(Fault::Unreadable)? {
                Next::End => self.current = None,
                Next::Torn if self.files.is_empty() => {
                    let rest = current.length.saturating_sub(offset);
                    let file = path.display();
                    self.note = Some(format!(
                        "{file} ends with {rest} bytes of a block that was not written to its end \
                         (offset {offset}); a peer cuts them off when it starts"
                    ));
                    self.current = None;
                }
                Next::Torn => {
                    let reason = "a block is cut off".to_owned();
                    return Err(Fault::Damaged { file: path, offset, reason });
                }
                Next::Block(bytes) => {
                    let Some(block) = decode(bytes) else {
                        let reason = "no block".to_owned();
                        return Err(Fault::Damaged { file: path, offset, reason });
                    };
                    let origin = format!("{} at offset {offset}", path.display());
                    let bytes = block.encode_to_vec().into();
                    return Ok(Some(Item { bytes, origin, ..Item::default() }));
                }
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        self.note.iter().cloned().collect()
    }

    fn remedy(&self, difference: &Difference) -> String {
        remedy(difference)
    }
}

impl Current {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let length = file.metadata().map_err(Error::io("inspect", &path))?.len();
        Ok(Self { file: BufReader::new(file), path, offset: 0, length })
    }

    fn next(&mut self) -> Result<Next, Error> {
        if self.offset >= self.length {
            return Ok(Next::End);
        }
        let Some((block_length, varint_length)) = self.block_length()? else {
            return Ok(Next::Torn);
        };
        let rest = self.length - self.offset;
        // The length comes from the file: nothing is allocated that the file cannot fill.
        if block_length.checked_add(varint_length).is_none_or(|needed| needed > rest) {
            return Ok(Next::Torn);
        }
        let mut bytes = vec![0; usize::try_from(block_length).unwrap_or(usize::MAX)];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        self.offset += varint_length + block_length;
        Ok(Next::Block(bytes.into()))
    }

    /// The length in front of a block and the length of that length.
    fn block_length(&mut self) -> Result<Option<(u64, u64)>, Error> {
        let mut digits = Vec::with_capacity(VARINT_MAX);
        while digits.len() < VARINT_MAX {
            let mut byte = [0];
            if self.file.read(&mut byte).map_err(Error::io("read", &self.path))? == 0 {
                return Ok(None);
            }
            digits.extend_from_slice(&byte);
            if byte[0] & 0x80 == 0 {
                let length = decode_varint(&mut digits.as_slice()).ok();
                return Ok(length.map(|length| (length, digits.len() as u64)));
            }
        }
        Ok(None)
    }
}

/// Reads a block; nothing if the bytes are none or there are too many.
fn decode(mut bytes: Bytes) -> Option<Block> {
    let number = decode_varint(&mut bytes).ok()?;
    let data_hash = take(&mut bytes)?;
    let previous_hash = take(&mut bytes)?;
    let data = take_all(&mut bytes)?;
    let metadata = take_all(&mut bytes)?;
    bytes.is_empty().then(|| Block {
        header: Some(BlockHeader { number, previous_hash, data_hash }),
        data: Some(BlockData { data }),
        metadata: Some(BlockMetadata { metadata }),
    })
}

fn take(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    (length <= bytes.remaining()).then(|| bytes.split_to(length))
}

fn take_all(bytes: &mut Bytes) -> Option<Vec<Bytes>> {
    let count = decode_varint(bytes).ok()?;
    // Each one takes a byte at least.
    if count > bytes.remaining() as u64 {
        return None;
    }
    (0..count).map(|_| take(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_block_is_refused() {
        for bytes in [&b""[..], b"\xff", b"\x00\x05a", b"\x00\x00\x00\xff\xff\xff\xff\x7f"] {
            assert_eq!(decode(Bytes::copy_from_slice(bytes)), None, "{bytes:?}");
        }
        let block = decode(Bytes::from_static(b"\x07\x01a\x01b\x01\x02tx\x00")).unwrap();
        assert_eq!(proto::block::number(&block), 7);
        assert_eq!(proto::block::envelopes(&block), [Bytes::from_static(b"tx")]);
        assert_eq!(decode(Bytes::from_static(b"\x07\x01a\x01b\x01\x02tx\x00more")), None);
    }
}
