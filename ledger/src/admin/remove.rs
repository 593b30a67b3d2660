//! Removing a ledger: it gets a name no channel can have, and then goes piece by piece.

use std::fs;
use std::path::Path;

use super::mark::{failed, remove_folder, rename};
use super::{OnProgress, step};
use crate::Error;

/// What the names of removed ledgers begin with; names of channels do not.
const REMOVED: char = '~';

/// Removes the ledger of a channel in the folder `root`.
pub(crate) fn remove(root: &Path, id: &str, progress: OnProgress<'_>) -> Result<(), Error> {
    step("admin::remove")?;
    let gone = root.join(format!("{REMOVED}{id}"));
    remove_folder(&gone)?;
    rename(&root.join(id), &gone)?;
    step("admin::removed")?;
    clear(&gone, progress)
}

/// Finishes removals that were interrupted.
pub(crate) fn finish_removals(root: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(root).map_err(failed("list", root))? {
        let entry = entry.map_err(failed("list", root))?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(REMOVED)) {
            clear(&entry.path(), &mut |_, _| {})?;
        }
    }
    Ok(())
}

/// Removes a folder, telling how many of its files are gone.
fn clear(dir: &Path, progress: OnProgress<'_>) -> Result<(), Error> {
    let mut files = Vec::new();
    list(dir, &mut files)?;
    let all = files.len() as u64;
    for (done, file) in (1..).zip(files) {
        fs::remove_file(&file).map_err(failed("remove", &file))?;
        step("admin::removing")?;
        progress(done, all);
    }
    remove_folder(dir)
}

fn list(dir: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let entry = entry.map_err(failed("list", dir))?;
        let is_folder = entry.file_type().map_err(failed("inspect", dir))?.is_dir();
        match is_folder {
            true => list(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}
