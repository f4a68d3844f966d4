//! A full disk must not keep the program from starting: sled needs room to open, and more to write down that something
//! was sent. So the data folder has a file that is there only to be removed when nothing else is left.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use paperwire_core::store::{OpenError, SledStore};

/// The bytes of the ballast: some 20 of sled's segments, and weeks of deliveries.
pub const BALLAST: u64 = 16 * 1024 * 1024;
/// With less free space than this (in bytes) the ballast goes before anything is opened: what opens could not work.
const LOW: u64 = 4 * 1024 * 1024;

fn path(folder: &Path) -> PathBuf {
    folder.join("ballast")
}

/// The bytes that may still be written to the folder's disk without privileges (statvfs(3), `f_bavail`).
fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Removes the ballast if the disk is all but full. For the owner of the folder, before it writes anything there.
pub fn make_room(folder: &Path) {
    if let Ok(free) = free(folder)
        && free < LOW
    {
        release(folder, free);
    }
}

/// Whether there was something to remove.
fn release(folder: &Path, free: u64) -> bool {
    let released = fs::remove_file(path(folder)).is_ok();
    if released {
        tracing::warn!(
            folder = %folder.display(),
            free_bytes = free,
            "the disk is full: the reserve of {BALLAST} bytes is used up to go on; free some space soon"
        );
    }
    released
}

/// Opens the store in a data folder that the caller owns; if the disk is too full for that, without the ballast.
///
/// # Errors
/// What [`SledStore::open`] says.
pub fn open_store(folder: &Path) -> Result<SledStore, OpenError> {
    let store = folder.join("store");
    match SledStore::open(&store) {
        // A quota or a limit on files is not in what `free` says.
        Err(OpenError::Full { .. }) if release(folder, free(folder).unwrap_or(0)) => SledStore::open(&store),
        opened => opened,
    }
}

/// Makes the ballast anew if it is not there and the disk has room for twice its size; says so if not.
pub fn restore(folder: &Path) {
    if fs::metadata(path(folder)).is_ok_and(|there| there.len() == BALLAST) {
        return;
    }
    let free = match free(folder) {
        Ok(free) if free >= 2 * BALLAST => free,
        Ok(free) => return warn(folder, free, "too little is free"),
        Err(error) => return warn(folder, 0, &error.to_string()),
    };
    if let Err(error) = fill(&path(folder)) {
        // Half a ballast would only take room.
        let _ = fs::remove_file(path(folder));
        warn(folder, free, &error.to_string());
    }
}

fn warn(folder: &Path, free: u64, why: &str) {
    tracing::warn!(
        folder = %folder.display(),
        free_bytes = free,
        why,
        "there is no reserve of {BALLAST} bytes for the day when the disk is full; free some space"
    );
}

/// A file whose bytes are really taken from the disk.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BALLAST).is_ok() {
        return Ok(());
    }
    // Not every file system can. Noise, or a file system that compresses would give it all back to others.
    let mut noise = 1_u64;
    let mut chunk = Vec::with_capacity(1 << 20);
    for _ in 0..BALLAST >> 20 {
        chunk.clear();
        while chunk.len() < 1 << 20 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            chunk.extend(noise.rotate_left(32).to_le_bytes());
        }
        file.write_all(&chunk)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn the_ballast_takes_its_bytes_from_the_disk_and_gives_them_back() {
        let dir = tempfile::tempdir().unwrap();
        restore(dir.path());
        let there = fs::metadata(path(dir.path())).unwrap();
        // In units of 512 bytes, stat(2).
        assert!(there.blocks() * 512 >= BALLAST, "{} blocks", there.blocks());
        assert!(release(dir.path(), 0));
        assert!(!release(dir.path(), 0));
    }
}
