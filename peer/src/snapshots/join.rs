//! Joining channels by snapshots, one at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use node::tasks::Tasks;
use parking_lot::Mutex;
use proto::peer::JoinBySnapshotStatus;

use super::Error;
use crate::causes::in_one_line;
use crate::channels::Channels;
use crate::private_data::Member;

/// Joins channels by snapshots in folders of the peer's own machine. An import takes a while and
/// goes on behind the answer.
#[derive(Debug)]
pub struct Joins {
    channels: Arc<Channels>,
    member: Member,
    tasks: Tasks,
    running: Arc<Mutex<Option<PathBuf>>>,
}

/// The join under way; ends when dropped, also by a panic.
struct Running(Arc<Mutex<Option<PathBuf>>>);

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Joins {
    /// Joins to `channels`. What `member` should hold of private data counts as missing then.
    pub fn new(channels: Arc<Channels>, member: Member, tasks: Tasks) -> Self {
        Self { channels, member, tasks, running: Arc::default() }
    }

    /// Checks the metadata of the snapshot in `dir` and begins to join its channel. Needs a runtime.
    pub fn start(&self, dir: &Path) -> Result<(), Error> {
        let mut running = self.running.lock();
        if let Some(other) = &*running {
            return Err(Error::Joining(other.clone()));
        }
        let id = self.channels.check_snapshot(dir)?;
        *running = Some(dir.to_owned());
        drop(running);
        let running = Running(self.running.clone());
        let (channels, member, dir) = (self.channels.clone(), self.member.clone(), dir.to_owned());
        let name = format!("join {id} by snapshot");
        // Nobody waits for it; what became of it is logged here.
        drop(self.tasks.spawn_blocking(name, move || {
            let _running = running;
            match channels.join_by_snapshot(&dir, &member) {
                Ok(channel) => {
                    let height = channel.height();
                    tracing::info!(channel = id, dir = %dir.display(), height, "joined by snapshot");
                }
                Err(error) => {
                    let error = in_one_line(&error);
                    tracing::error!(channel = id, dir = %dir.display(), error, "join by snapshot");
                }
            }
        }));
        Ok(())
    }

    /// Whether a join is under way, and from which folder.
    pub fn status(&self) -> JoinBySnapshotStatus {
        let running = self.running.lock();
        JoinBySnapshotStatus {
            in_progress: running.is_some(),
            bootstrapping_snapshot_dir: running
                .as_ref()
                .map(|dir| dir.display().to_string())
                .unwrap_or_default(),
        }
    }
}
