//! What was committed and does not stand in sled yet, so that a commit is durable after one write into a file whose blocks
//! are there already: such a write changes nothing that the file system has to write down as well, and takes a fraction of
//! the time of one that makes a file longer.
//!
//! There are two files, `journal.0` and `journal.1`. One takes what comes; meanwhile what the other holds goes into sled.
//! Whatever sled does not hold durably stands in one of them, and applying them anew, the older one first, is harmless: a
//! record says what keys are from now on, not how they change.
//!
//! A record is its length, a checksum, the generation of its file, and the changes of one commit. The generation goes up
//! with each change of files, so that what is left in a file of the time before is not taken for a part of it; what the
//! power cut short has a wrong checksum. Both are the end of the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use ::sled::IVec;

/// Keys and what they are from now on; `None`: they are not there.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<IVec>>;

/// Length, checksum and generation.
const HEADER: usize = 16;
/// How large a file is at first; then it doubles.
const FIRST: u64 = 64 * 1024;
/// A file that became larger than this is cut when it is empty.
const LARGE: u64 = 8 * 1024 * 1024;
/// The length that says that a key is not there.
const GONE: u32 = u32::MAX;

/// The two files.
pub(super) struct Journal {
    /// The one that takes what comes is first.
    files: [Side; 2],
    generation: u64,
    /// Records that are not written yet.
    waiting: Vec<u8>,
}

/// One of the files.
struct Side {
    file: Arc<File>,
    /// Where the next write goes.
    end: u64,
    /// Up to where there are blocks.
    size: u64,
}

impl Journal {
    /// Opens the files of a folder, which are made if need be, and says what they hold together. They go on holding it until
    /// [`Journal::clear`], which has to come first.
    pub(super) fn open(dir: &Path) -> io::Result<(Self, Changes)> {
        let side = |name| {
            let mut options = File::options();
            let file = options.read(true).write(true).create(true).truncate(false);
            let file = file.open(dir.join(name))?;
            let found = read(&file)?;
            let file = Arc::new(file);
            io::Result::Ok((found, Side { file, end: 0, size: 0 }))
        };
        let (mut older, mut newer) = (side("journal.0")?, side("journal.1")?);
        if older.0.0 > newer.0.0 {
            std::mem::swap(&mut older, &mut newer);
        }
        let (((_, mut changes), older), ((generation, latest), newer)) = (older, newer);
        changes.extend(latest);
        let journal = Self {
            files: [older, newer],
            generation: generation.wrapping_add(1),
            waiting: Vec::new(),
        };
        Ok((journal, changes))
    }

    /// Empties both files: sled has durably what they held.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        // The older one first: without the newer one it would bring back what is no more.
        for side in &mut self.files {
            side.file.set_len(0)?;
            side.file.sync_all()?;
            (side.end, side.size) = (0, 0);
        }
        Ok(())
    }

    /// Adds what one commit changes, whole or not at all. It is durable after [`Journal::sync`].
    ///
    /// # Errors
    /// When it is too long (4 GB).
    pub(super) fn append(&mut self, changes: &Changes) -> io::Result<()> {
        // A record without changes would be taken for the end.
        if changes.is_empty() {
            return Ok(());
        }
        let mut record = vec![0; HEADER];
        for (key, value) in changes {
            record.extend(length(key)?);
            record.extend(value.as_deref().map_or(Ok(GONE.to_be_bytes()), length)?);
            record.extend_from_slice(key);
            record.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        if let Some((header, body)) = record.split_at_mut_checked(HEADER) {
            let (length, generation) = (length(body)?, self.generation.to_be_bytes());
            let sum = checksum(length, generation, body);
            let fields = length.into_iter().chain(sum).chain(generation);
            header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        }
        self.waiting.append(&mut record);
        Ok(())
    }

    /// Makes all that was added durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let [Side { file, end, size }, _] = &mut self.files;
        let next = *end + self.waiting.len() as u64;
        if next > *size {
            // Once: from then on the blocks are there.
            let size_then = next.max(*size * 2).max(FIRST);
            let padding = usize::try_from(size_then - next).unwrap_or_default();
            self.waiting.resize(self.waiting.len() + padding, 0);
            *size = size_then;
        }
        file.write_all_at(&self.waiting, *end)?;
        file.sync_data()?;
        *end = next;
        self.waiting.clear();
        self.waiting.shrink_to(1 << 20);
        Ok(())
    }

    /// How much the current file holds, and what waits to be written.
    pub(super) fn bytes(&self) -> u64 {
        self.files[0].end + self.waiting.len() as u64
    }

    /// Makes everything durable and goes on in the other file, which has to be retired. Returns the one that was current
    /// until now.
    pub(super) fn rotate(&mut self) -> io::Result<Full> {
        self.sync()?;
        self.files.swap(0, 1);
        self.generation = self.generation.wrapping_add(1);
        let [current, full] = &mut self.files;
        current.end = 0;
        // As [`Full::retire`] leaves it.
        full.size = full.size.min(LARGE);
        Ok(Full {
            file: Arc::clone(&full.file),
            large: full.end > LARGE,
        })
    }
}

/// A file that takes no more.
pub(super) struct Full {
    file: Arc<File>,
    large: bool,
}

impl Full {
    /// Empties it, when sled has durably what it holds.
    pub(super) fn retire(&self) -> io::Result<()> {
        if self.large {
            self.file.set_len(LARGE)?;
        }
        self.file.write_all_at(&[0; HEADER], 0)?;
        self.file.sync_data()
    }
}

/// The generation of a file, 0 if it is empty, and what its records say together.
fn read(file: &File) -> io::Result<(u64, Changes)> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or_default()];
    file.read_exact_at(&mut bytes, 0)?;
    let (mut rest, mut of_file, mut changes) = (bytes.as_slice(), None, Changes::new());
    while let Some((generation, body)) = record(&mut rest)
        && *of_file.get_or_insert(generation) == generation
    {
        changes.extend(body);
    }
    Ok((of_file.unwrap_or_default(), changes))
}

/// The record at the beginning of these bytes, if there is a whole one: its generation and what it changes.
fn record(bytes: &mut &[u8]) -> Option<(u64, Changes)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (mut body, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    if body.is_empty() || checksum(*length, *generation, body) != *sum {
        return None;
    }
    let mut changes = Changes::new();
    while !body.is_empty() {
        let (key, after) = body.split_first_chunk::<4>()?;
        let (value, after) = after.split_first_chunk::<4>()?;
        let (key, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*key)).ok()?)?;
        let (value, after) = match u32::from_be_bytes(*value) {
            GONE => (None, after),
            length => {
                let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(IVec::from(value)), after)
            }
        };
        changes.insert(key.to_vec(), value);
        body = after;
    }
    *bytes = rest;
    Some((u64::from_be_bytes(*generation), changes))
}

fn checksum(length: [u8; 4], generation: [u8; 8], body: &[u8]) -> [u8; 4] {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(&generation);
    sum.update(body);
    sum.finalize().to_be_bytes()
}

fn length(bytes: &[u8]) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length != GONE);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    Ok(length.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn change(key: u8, value: Option<&str>) -> Changes {
        Changes::from([(vec![key], value.map(IVec::from))])
    }

    /// A journal in an empty folder.
    fn journal(dir: &Path) -> Journal {
        let (mut journal, found) = Journal::open(dir).unwrap();
        assert_eq!(found, Changes::new());
        journal.clear().unwrap();
        journal
    }

    fn found(dir: &Path) -> Changes {
        Journal::open(dir).unwrap().1
    }

    #[test]
    fn what_was_synced_is_there_and_what_the_power_cut_short_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal(dir.path());
        let mut ends = vec![0];
        for (key, value) in [(1, Some("a")), (2, Some("b")), (1, None)] {
            journal.append(&change(key, value)).unwrap();
            journal.sync().unwrap();
            ends.push(journal.bytes());
        }
        journal.append(&change(3, Some("never synced"))).unwrap();
        let after = |records: usize| {
            let all = [change(1, Some("a")), change(2, Some("b")), change(1, None)];
            all.into_iter().take(records).flatten().collect::<Changes>()
        };
        assert_eq!(found(dir.path()), after(3));
        let path = dir.path().join("journal.0");
        let whole = fs::read(&path).unwrap();
        for at in 0..usize::try_from(ends[3]).unwrap() {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            fs::write(&path, torn).unwrap();
            let records = ends.iter().filter(|end| **end <= at as u64).count() - 1;
            assert_eq!(found(dir.path()), after(records), "byte {at}");
        }
    }

    #[test]
    fn of_two_files_the_newer_one_has_the_last_word_and_what_is_left_of_earlier_times_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal(dir.path());
        let put = |journal: &mut Journal, key, value| {
            journal.append(&change(key, Some(value))).unwrap();
            journal.sync().unwrap();
        };
        for (key, value) in [(1, "a"), (2, "b"), (3, "c")] {
            put(&mut journal, key, value);
        }
        let first = journal.rotate().unwrap();
        put(&mut journal, 1, "d");
        let both: Changes = [(1, "d"), (2, "b"), (3, "c")]
            .into_iter()
            .flat_map(|(key, value)| change(key, Some(value)))
            .collect();
        assert_eq!(found(dir.path()), both);
        first.retire().unwrap();
        assert_eq!(found(dir.path()), change(1, Some("d")));
        let second = journal.rotate().unwrap();
        // As long as the first record that stood there.
        put(&mut journal, 4, "e");
        let both: Changes = change(1, Some("d")).into_iter().chain(change(4, Some("e"))).collect();
        assert_eq!(found(dir.path()), both);
        second.retire().unwrap();
        assert_eq!(found(dir.path()), change(4, Some("e")));
    }
}
