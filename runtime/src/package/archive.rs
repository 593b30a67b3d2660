//! Reading and writing gzipped tars: bounded on the way in, deterministic on the way out.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Error, UNPACKED_BYTES_MAX};

/// More files than any package needs.
const ENTRIES_MAX: usize = 1024;

/// All regular files of an archive. Directories are passed over; links and devices are refused.
pub(super) fn read(
    archive: &'static str,
    bytes: &[u8],
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let broken = |source| Error::Archive { archive, source };
    let mut tar = tar::Archive::new(GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX));
    let mut files = BTreeMap::new();
    for (count, entry) in tar.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refuse = |reason| Error::Entry { archive, path: path.clone(), reason };
        let kind = entry.header().entry_type();
        match () {
            () if count >= ENTRIES_MAX => return Err(refuse("too many entries")),
            () if kind.is_dir() => continue,
            () if kind.is_pax_global_extensions() => continue,
            () if !kind.is_file() => return Err(refuse("not a regular file")),
            () if !is_inside(&path) => return Err(refuse("outside the archive")),
            () if files.contains_key(&path) => return Err(refuse("present twice")),
            () => {}
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        files.insert(path, content);
    }
    Ok(files)
}

fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

/// An archive of `files` in the given order, without times, owners or anything else that differs
/// from one machine to the next.
pub(super) fn write(archive: &'static str, files: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    let broken = |source| Error::Archive { archive, source };
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        tar.append_data(&mut header, path, *content).map_err(broken)?;
    }
    tar.into_inner().and_then(GzEncoder::finish).map_err(broken)
}
