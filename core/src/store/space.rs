//! Gives disk space back. sled's log grows to twenty times what is in it and more where entries are small and wander, as
//! those of a queue do, and hardly ever gets shorter. Then everything is copied to a fresh folder beside it, and the two
//! change places.
//!
//! | step | `store` | `….copying` | `….copied` | `….replaced` |
//! |---|---|---|---|---|
//! | | in use | | | |
//! | copy | in use | half | | |
//! | finish | in use | | whole | |
//! | put aside | | | whole | before |
//! | put in place | in use | | | before |
//! | remove the old one | in use | | | |
//!
//! The names of the other folders begin with `store.compaction`: nobody's own backup is taken for one of them. A step is
//! one rename, made durable before the next one begins; which folders there are says how far a broken run came.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ::sled::{Batch, Db, IVec};

/// A folder smaller than this is left as it is.
const SMALL: u64 = 64 * 1024 * 1024;
/// A folder may be so many times as large as what is in it. A fresh one is up to four times as large where entries are
/// small.
const TIMES: u64 = 3;
/// The most bytes in one batch of the copy.
const BATCH: usize = 1024 * 1024;
/// So many batches may be on their way: sled's flush takes the longer, the more have come since the last one.
const FLUSH_EVERY: usize = 64;

/// How large a store is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes of all files in its folder.
    pub folder: u64,
    /// Bytes of all keys and values in it.
    pub live: u64,
}

impl Space {
    /// Whether a copy is worth its time: the folder is large, more than three times as large as what is in it, and more
    /// than twice as large as a fresh copy would be, as far as the last one (`fresh`) tells.
    pub(super) fn is_wasted(self, fresh: Option<Self>) -> bool {
        let Self { folder, live } = self;
        // folder / live > 2 · fresh.folder / fresh.live
        let than_fresh =
            |fresh: Self| u128::from(folder) * u128::from(fresh.live) > 2 * u128::from(fresh.folder) * u128::from(live);
        folder > SMALL && folder > live.saturating_mul(TIMES) && fresh.is_none_or(than_fresh)
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.folder, self.live]
            .into_iter()
            .flat_map(u64::to_be_bytes)
            .collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (folder, live) = bytes.split_first_chunk()?;
        Some(Self {
            folder: u64::from_be_bytes(*folder),
            live: u64::from_be_bytes(live.try_into().ok()?),
        })
    }
}

/// What opening a store did about its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compaction {
    /// It was copied.
    Done {
        /// Bytes of the folder before.
        before: u64,
        /// How large it is now.
        now: Space,
    },
    /// It could not be copied (the disk is full, as a rule) and is as it was.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The bytes of all files in a folder; what vanishes meanwhile is not counted.
pub(super) fn folder_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&entry.path())?,
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
    }
    Ok(bytes)
}

/// The bytes of all keys and values: one pass over them, which neither stops anybody's writes nor is stopped by them. Nothing
/// once `go_on` says no.
pub(super) fn live_bytes(
    entries: impl Iterator<Item = ::sled::Result<(IVec, IVec)>>,
    go_on: &dyn Fn() -> bool,
) -> ::sled::Result<Option<u64>> {
    let mut bytes = 0;
    for entry in entries {
        if !go_on() {
            return Ok(None);
        }
        bytes += entry_bytes(&entry?);
    }
    Ok(Some(bytes))
}

fn entry_bytes((key, value): &(IVec, IVec)) -> u64 {
    u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX)
}

/// A step towards the smaller folder; nobody has the store open meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Copy,
    Finish,
    PutAside,
    PutInPlace,
    RemoveOld,
}

impl Step {
    pub(super) const ALL: [Self; 5] = [
        Self::Copy,
        Self::Finish,
        Self::PutAside,
        Self::PutInPlace,
        Self::RemoveOld,
    ];

    /// `copy` writes everything that is in the first folder into the second one, durably.
    pub(super) fn run(self, dir: &Path, copy: impl FnOnce(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Copy => copy(dir, &beside(dir, "copying")),
            Self::Finish => rename(&beside(dir, "copying"), &beside(dir, "copied")),
            Self::PutAside => rename(dir, &beside(dir, "replaced")),
            Self::PutInPlace => rename(&beside(dir, "copied"), dir),
            Self::RemoveOld => fs::remove_dir_all(beside(dir, "replaced")),
        }
    }
}

/// Ends what a run that was broken off has begun: goes on where the store has left its place, else goes back.
pub(super) fn recover(dir: &Path) -> io::Result<()> {
    let [copying, copied, old] = ["copying", "copied", "replaced"].map(|name| beside(dir, name));
    if !dir.try_exists()? {
        // The copy is whole, and the name of it is the only thing that is missing.
        for whole in [&copied, &old] {
            if whole.try_exists()? {
                rename(whole, dir)?;
                break;
            }
        }
    }
    let mut leftovers = Vec::new();
    for leftover in [copying, copied, old] {
        if leftover.try_exists()? {
            leftovers.push(leftover);
        }
    }
    if leftovers.is_empty() {
        return Ok(());
    }
    // Whoever renamed the store last may not have lived to make it durable.
    sync_names(dir)?;
    leftovers.iter().try_for_each(fs::remove_dir_all)
}

/// Copies everything but the keys in `without`, and compares. Returns how many bytes that are.
pub(super) fn copy(from: &Db, to: &Db, without: &[&[u8]]) -> ::sled::Result<u64> {
    let mut batch = Batch::default();
    let (mut bytes, mut batches) = (0, 0);
    for entry in &**from {
        let (key, value) = entry?;
        if without.contains(&&*key) {
            continue;
        }
        bytes += key.len() + value.len();
        batch.insert(key, value);
        if bytes >= BATCH {
            to.apply_batch(std::mem::take(&mut batch))?;
            (bytes, batches) = (0, batches + 1);
            if batches % FLUSH_EVERY == 0 {
                to.flush()?;
            }
        }
    }
    to.apply_batch(batch)?;
    to.flush()?;
    let mut live = 0;
    let mut copied = to.iter();
    let mut originals = from.iter().filter(|entry| match entry {
        Ok((key, _)) => !without.contains(&&**key),
        Err(_) => true,
    });
    loop {
        match (originals.next().transpose()?, copied.next().transpose()?) {
            (None, None) => return Ok(live),
            (Some(original), Some(copy)) if original == copy => live += entry_bytes(&copy),
            (Some(_) | None, Some(_) | None) => {
                return Err(::sled::Error::ReportableBug(
                    "the copy is not what was copied".to_owned(),
                ));
            }
        }
    }
}

/// `store` → `store.compaction.copied`.
fn beside(dir: &Path, what: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".compaction.");
    name.push(what);
    dir.with_file_name(name)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_names(to)
}

fn sync_names(of: &Path) -> io::Result<()> {
    let parent = of.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_worth_its_time_only_where_it_becomes_much_smaller() {
        const MB: u64 = 1024 * 1024;
        let space = |folder, live| Space {
            folder: folder * MB,
            live: live * MB,
        };
        assert!(space(91, 30).is_wasted(None));
        assert!(!space(90, 30).is_wasted(None), "three times is what may be");
        assert!(!space(64, 1).is_wasted(None), "small");
        assert!(
            !space(200, 30).is_wasted(Some(space(10, 3))),
            "a fresh copy would be half as large at best"
        );
        assert!(space(201, 30).is_wasted(Some(space(10, 3))));
        assert_eq!(Space::from_bytes(&space(7, 5).to_bytes()), Some(space(7, 5)));
    }
}
