//! The drop folder: a file put into `inbox/` is taken in and moved to `done/`, or to `rejected/` with a sentence why
//! beside it. A file is left alone until it has stopped growing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use paperwire_core::pipeline::Accepted;
use tokio_util::sync::CancellationToken;

use crate::service::{IngestError, LARGEST_FILE, Service};

/// How often the folder is looked at. Looking is what works on every file system; notifications do not.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// Size and time of change: while they differ between two looks, the file is still being written.
type FileState = (u64, Option<SystemTime>);

/// The three folders below the data folder.
#[derive(Debug, Clone)]
pub struct Inbox {
    inbox: PathBuf,
    done: PathBuf,
    rejected: PathBuf,
    seen: HashMap<PathBuf, FileState>,
    stuck: HashMap<PathBuf, FileState>,
}

impl Inbox {
    /// Makes the folders.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(data: &Path) -> std::io::Result<Self> {
        let folder = |name: &str| {
            let path = data.join(name);
            std::fs::create_dir_all(&path).map(|()| path)
        };
        Ok(Self {
            inbox: folder("inbox")?,
            done: folder("done")?,
            rejected: folder("rejected")?,
            seen: HashMap::new(),
            stuck: HashMap::new(),
        })
    }

    /// Looks every `interval` until `stop`.
    pub async fn watch(mut self, service: Service, interval: Duration, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look(&service, &stop).await {
                tracing::warn!(folder = %self.inbox.display(), %error, "the inbox cannot be read; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
        }
    }

    /// Takes in the files that have not changed since the last look.
    async fn look(&mut self, service: &Service, stop: &CancellationToken) -> std::io::Result<()> {
        let mut present = HashMap::new();
        let mut ready = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.inbox).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let partial = [".part", ".tmp", ".crdownload", ".swp"]
                .iter()
                .any(|ending| name.ends_with(ending));
            let Ok(metadata) = entry.metadata().await else { continue };
            if !metadata.is_file() || name.starts_with('.') || partial {
                continue;
            }
            let state = (metadata.len(), metadata.modified().ok());
            if self.stuck.get(&path) == Some(&state) {
                present.insert(path, state);
            } else if self.seen.get(&path) == Some(&state) {
                ready.push((path, name, state));
            } else {
                present.insert(path, state);
            }
        }
        self.stuck.retain(|path, _| present.contains_key(path));
        self.seen = present;
        ready.sort();
        for (path, name, state) in ready {
            if stop.is_cancelled() {
                break;
            }
            if !self.take(service, &path, &name, state.0).await {
                // It cannot be moved away: it waits until somebody changes it, instead of being taken in every time.
                self.stuck.insert(path, state);
            }
        }
        Ok(())
    }

    /// Takes a file in and moves it away. `false` when it stays although it is dealt with.
    async fn take(&self, service: &Service, path: &Path, name: &str, size: u64) -> bool {
        let outcome = if size > LARGEST_FILE {
            let (size, most) = (size >> 20, LARGEST_FILE >> 20);
            Err(format!(
                "{name}: {size} MB is too large for a mailing; at most {most} MB are taken in"
            ))
        } else {
            match tokio::fs::read(path).await {
                Ok(bytes) => match service.ingest(name, bytes).await {
                    Ok(accepted) => Ok(accepted),
                    Err(IngestError::Refused(why)) => Err(why),
                    Err(error @ IngestError::Store { .. }) => {
                        tracing::error!(%error, "the file stays in the inbox");
                        return true;
                    }
                },
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "the file cannot be read and stays in the inbox");
                    return false;
                }
            }
        };
        let (folder, note) = match &outcome {
            Ok(accepted) => (&self.done, notes(name, accepted)),
            Err(why) => (&self.rejected, Some(why.clone())),
        };
        match &outcome {
            Ok(accepted) => tracing::info!("{}", sentence(name, accepted)),
            Err(why) => tracing::warn!("not taken in, moved to rejected/: {why}"),
        }
        let target = free_name(folder, name);
        if let Err(error) = tokio::fs::rename(path, &target).await {
            tracing::error!(file = %path.display(), %error, "the file is dealt with but cannot be moved out of the inbox");
            return false;
        }
        if let Some(note) = note {
            let mut beside = target.into_os_string();
            beside.push(".why.txt");
            if let Err(error) = tokio::fs::write(&beside, note + "\n").await {
                tracing::error!(%error, "the note beside a file cannot be written");
            }
        }
        true
    }
}

/// What a file brought, in one sentence.
pub fn sentence(name: &str, accepted: &Accepted) -> String {
    if let Some((at, first)) = &accepted.first_taken {
        return format!(
            "{name}: the same content was taken in on {} as {first}; nothing changed",
            at.format("%Y-%m-%d %H:%M UTC")
        );
    }
    let Accepted {
        papers_new,
        papers_known,
        papers_updated,
        papers_rejected,
        replacements,
        corrections,
        ..
    } = accepted;
    let corrected = match corrections {
        0 => String::new(),
        1 => "; 1 posted digest is corrected".to_owned(),
        n => format!("; {n} posted digests are corrected"),
    };
    format!(
        "{name}: {papers_new} new papers, {papers_known} known, {papers_updated} updated, {replacements} replacements, {papers_rejected} rejected{corrected}"
    )
}

fn notes(name: &str, accepted: &Accepted) -> Option<String> {
    let mut lines = vec![sentence(name, accepted)];
    lines.extend(accepted.rejected.iter().map(ToString::to_string));
    (lines.len() > 1 || accepted.duplicates > 0).then(|| lines.join("\n"))
}

/// `name` in `folder`, with a number before its ending if that is taken.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(name);
    if !plain.exists() {
        return plain;
    }
    let (stem, ending) = name
        .rsplit_once('.')
        .map_or((name, String::new()), |(stem, end)| (stem, format!(".{end}")));
    (2_u32..)
        .map(|n| folder.join(format!("{stem}-{n}{ending}")))
        .find(|path| !path.exists())
        .unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paperwire_core::store::ModelStore;

    use super::*;
    use crate::storage::Storage;

    #[tokio::test]
    async fn a_file_that_is_still_growing_is_left_alone_until_a_look_finds_it_as_the_last_one_did() {
        let data = tempfile::tempdir().unwrap();
        let (storage, _) = Storage::start(Arc::new(ModelStore::new())).unwrap();
        let ops = crate::ops::Ops::new(crate::clock::now());
        let service = Service::new(
            storage,
            Arc::new([]),
            crate::queued::Queued::default(),
            Arc::default(),
            ops,
        );
        let mut inbox = Inbox::new(data.path()).unwrap();
        let file = data.path().join("inbox/mailing.txt");
        let mailing = include_bytes!("../sample/mailing.txt");
        for half in [10, 2_000, mailing.len()] {
            std::fs::write(&file, mailing.get(..half).unwrap()).unwrap();
            inbox.look(&service, &CancellationToken::new()).await.unwrap();
            assert!(file.exists(), "after {half} bytes");
        }
        inbox.look(&service, &CancellationToken::new()).await.unwrap();
        assert_eq!(std::fs::read(data.path().join("done/mailing.txt")).unwrap(), mailing);
    }
}
