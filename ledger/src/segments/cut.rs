//! Taking records away from the end of a log that is closed.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use super::{Error, Location, path, scan};
use crate::failpoint;

/// Removes the record at `from` and all behind it, for good. The newest segment goes first and
/// each is gone before the next one goes, so an interruption leaves a shorter log without a gap.
pub(crate) fn cut(dir: &Path, from: Location) -> Result<(), Error> {
    let segments = scan::segments(dir)?;
    for segment in segments.into_iter().rev().take_while(|segment| *segment > from.segment) {
        let file = path(dir, segment);
        fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        let folder = File::open(dir).map_err(Error::io("open", dir))?;
        folder.sync_all().map_err(Error::io("sync", dir))?;
        failpoint::reach("admin::cutting").map_err(Error::io("cut", dir))?;
    }
    let file = path(dir, from.segment);
    let handle = OpenOptions::new().write(true).open(&file).map_err(Error::io("open", &file))?;
    handle.set_len(from.offset).map_err(Error::io("truncate", &file))?;
    handle.sync_all().map_err(Error::io("sync", &file))
}
