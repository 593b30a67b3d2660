//! Opening sled databases, which hold nothing that cannot be rebuilt.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for the lock of a database: a handle dropped in this process gives it back
/// from a thread of sled, a little later.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Opens or creates a database. One that is damaged is removed and created empty: its owner
/// rebuilds the content from the blocks. Other failures, such as a lock held by another process or
/// a full disk, are errors.
pub(crate) fn open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, sled::Error> {
    let config = sled::Config::new().path(dir).cache_capacity(cache_bytes);
    let begun = Instant::now();
    let mut opened = open_or_panic(&config);
    while matches!(&opened, Ok(Err(error)) if is_locked(error)) && begun.elapsed() < LOCK_WAIT {
        std::thread::sleep(Duration::from_millis(20));
        opened = open_or_panic(&config);
    }
    let reason = match opened {
        Ok(Err(error @ (sled::Error::Corruption { .. } | sled::Error::ReportableBug(_)))) => {
            error.to_string()
        }
        Ok(Err(sled::Error::Io(error))) if is_damage(&error) => error.to_string(),
        Ok(opened) => return opened,
        Err(panic) => panic,
    };
    tracing::warn!(dir = %dir.display(), reason, "the database is damaged and is rebuilt");
    std::fs::remove_dir_all(dir)?;
    config.open()
}

/// sled panics on some kinds of damage instead of reporting it.
fn open_or_panic(config: &sled::Config) -> Result<Result<sled::Db, sled::Error>, String> {
    catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic").to_owned()
    })
}

/// sled has no error of its own for this.
fn is_locked(error: &sled::Error) -> bool {
    let text = "could not acquire lock";
    matches!(error, sled::Error::Io(error) if error.to_string().contains(text))
}

fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}
