//! Which papers have changed since the index last took them. A new paper shows by its place in the order of intake; one
//! that was known and is repaired, revised or renamed does not, so whoever commits such a change notes it here, before
//! the store's next sync: what survives in the store is then in this file. The index clears the file when it has caught
//! up; a process without an index (a command line) leaves it for the next one that has.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use paperwire_core::paper::PaperId;

/// A larger file is not read: the index is built anew instead.
const LARGEST: u64 = 4 << 20;

/// The file, one id a line.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// What the disk refused. Whoever touches the file holds this.
    unwritten: Mutex<Vec<PaperId>>,
}

/// What was noted up to some moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// Each once.
    pub(super) papers: Vec<PaperId>,
    /// There is too much to say which.
    pub(super) too_many: bool,
    length: usize,
    unwritten: usize,
}

impl Journal {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            unwritten: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PaperId>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes changed papers; on disk afterwards, or where the disk refuses, in memory.
    pub(super) fn note(&self, papers: &[PaperId]) {
        if papers.is_empty() {
            return;
        }
        let mut unwritten = self.lock();
        // It begins on a line of its own, even behind one that a loss of power cut off.
        let lines: String = papers.iter().map(|id| format!("\n{id}")).collect();
        let written = self
            .path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&self.path))
            .and_then(|mut file| {
                file.write_all((lines + "\n").as_bytes())?;
                file.sync_data()
            });
        if let Err(error) = written {
            tracing::warn!(file = %self.path.display(), %error, "changed papers cannot be noted for the search index");
            unwritten.extend_from_slice(papers);
        }
    }

    /// What is noted now.
    pub(super) fn read(&self) -> std::io::Result<Noted> {
        let unwritten = self.lock();
        let mut noted = Noted {
            unwritten: unwritten.len(),
            ..Noted::default()
        };
        let bytes = match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() > LARGEST => {
                noted.too_many = true;
                noted.length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
                Vec::new()
            }
            Ok(_) => std::fs::read(&self.path)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        noted.length = noted.length.max(bytes.len());
        let text = String::from_utf8_lossy(&bytes);
        let mut papers: BTreeSet<PaperId> = text.lines().filter_map(|line| line.parse().ok()).collect();
        papers.extend(unwritten.iter().cloned());
        noted.papers = papers.into_iter().collect();
        Ok(noted)
    }

    /// Forgets what was noted then; what was noted since stays.
    pub(super) fn forget(&self, noted: &Noted) -> std::io::Result<()> {
        let mut unwritten = self.lock();
        let kept = noted.unwritten.min(unwritten.len());
        unwritten.drain(..kept);
        if noted.length == 0 {
            return Ok(());
        }
        let bytes = std::fs::read(&self.path)?;
        match bytes.get(noted.length..) {
            None | Some([]) => std::fs::remove_file(&self.path),
            Some(rest) => {
                let beside = self.path.with_extension("new");
                std::fs::write(&beside, rest)?;
                std::fs::File::open(&beside)?.sync_data()?;
                std::fs::rename(&beside, &self.path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(n: u32) -> PaperId {
        PaperId::Arxiv(format!("2602.{n:05}"))
    }

    #[test]
    fn what_is_noted_while_the_index_catches_up_stays_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("search/changed");
        let journal = Journal::new(&path);
        journal.note(&[paper(1), paper(2), paper(1)]);
        let noted = journal.read().unwrap();
        assert_eq!(noted.papers, [paper(1), paper(2)]);
        journal.note(&[paper(3)]);
        journal.forget(&noted).unwrap();
        let restarted = Journal::new(&path);
        let noted = restarted.read().unwrap();
        assert_eq!(noted.papers, [paper(3)]);
        restarted.forget(&noted).unwrap();
        assert_eq!(restarted.read().unwrap(), Noted::default());
    }

    #[test]
    fn a_line_that_was_cut_off_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changed");
        let journal = Journal::new(&path);
        journal.note(&[paper(1)]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"arxiv:26\xFF");
        std::fs::write(&path, bytes).unwrap();
        journal.note(&[paper(2)]);
        assert_eq!(journal.read().unwrap().papers, [paper(1), paper(2)]);
    }

    #[test]
    fn what_the_disk_refuses_is_kept_in_memory_and_a_flood_means_everything() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path());
        journal.note(&[paper(1)]);
        assert_eq!(journal.lock().as_slice(), [paper(1)]);
        let path = dir.path().join("changed");
        std::fs::write(&path, vec![b'\n'; 5 << 20]).unwrap();
        let flooded = Journal::new(&path);
        let noted = flooded.read().unwrap();
        assert!(noted.too_many);
        flooded.forget(&noted).unwrap();
        assert!(!path.exists());
    }
}
