//! The data folder has one owner. Its lock file holds the owner's pid, so that a second process can say who runs, and
//! the address of the owner's socket, so that a command line can ask the owner instead of opening the store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ballast;

/// A Unix socket's path must fit into `sun_path` (108 bytes on Linux, 104 on macOS, unix(7)).
const LONGEST_SOCKET_PATH: usize = 100;

/// Who owns a data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub socket: PathBuf,
}

/// The lock on a data folder; held until dropped, and released by the system when the process dies.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    owner: Owner,
    _lock: File,
}

/// Why a folder cannot be owned.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody else owns it.
    #[error("Paperwire already runs on {} with pid {}", .folder.display(), .owner.pid)]
    Owned {
        /// The folder.
        folder: PathBuf,
        /// By whom.
        owner: Owner,
    },
    /// The folder cannot be used.
    #[error("the data folder {} cannot be used: {error}", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl Folder {
    /// Makes the folder if need be, and takes it.
    ///
    /// # Errors
    /// [`FolderError::Owned`] with the owner's pid, or what the system says.
    pub fn own(path: &Path) -> Result<Self, FolderError> {
        let io = |error| FolderError::Io {
            folder: path.to_owned(),
            error,
        };
        std::fs::create_dir_all(path).map_err(io)?;
        let path = path.canonicalize().map_err(io)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("paperwire.lock"))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = read_owner(&mut lock).unwrap_or(Owner {
                    pid: 0,
                    socket: socket_path(&path),
                });
                return Err(FolderError::Owned { folder: path, owner });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        ballast::make_room(&path);
        let owner = Owner {
            pid: std::process::id(),
            socket: socket_path(&path),
        };
        let text = serde_json::to_vec(&owner).map_err(|error| io(error.into()))?;
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(&text))
            .map_err(io)?;
        // What a dead owner left would keep the new one from listening.
        if let Err(error) = std::fs::remove_file(&owner.socket)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(io(error));
        }
        Ok(Self {
            path,
            owner,
            _lock: lock,
        })
    }

    /// The secret of this installation, which nobody else can know: buttons that change settings are sealed with it. Made when
    /// there is none; without it (a restored backup) old buttons say that they are too old.
    ///
    /// # Errors
    /// When it can neither be read nor written.
    pub fn secret(&self) -> Result<[u8; 32], FolderError> {
        let io = |error: std::io::Error| FolderError::Io {
            folder: self.path.clone(),
            error,
        };
        let path = self.path.join("secret");
        match std::fs::read(&path).map(<[u8; 32]>::try_from) {
            Ok(Ok(secret)) => return Ok(secret),
            // Cut short by a crash: as good as none.
            Ok(Err(_)) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| io(std::io::Error::other(error.to_string())))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(io)?;
        file.write_all(&secret).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(secret)
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its owner listens.
    pub fn socket(&self) -> &Path {
        &self.owner.socket
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody listens any more; a leftover is removed by the next owner.
        let _ = std::fs::remove_file(&self.owner.socket);
    }
}

fn read_owner(lock: &mut File) -> Option<Owner> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn socket_path(folder: &Path) -> PathBuf {
    let inside = folder.join("paperwire.sock");
    if inside.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return inside;
    }
    let name = paperwire_core::text::content_hash(folder.as_os_str().as_encoded_bytes());
    std::env::temp_dir().join(format!("paperwire-{}.sock", name.get(..16).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_stays_the_same_is_no_other_folders_and_nobody_else_may_read_it() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = Folder::own(one.path()).unwrap();
        let secret = folder.secret().unwrap();
        assert_eq!(folder.secret().unwrap(), secret);
        assert_ne!(Folder::own(other.path()).unwrap().secret().unwrap(), secret);
        let file = one.path().join("secret");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o077, 0);
        std::fs::write(&file, "short").unwrap();
        let anew = folder.secret().unwrap();
        assert_eq!((folder.secret().unwrap(), anew == secret), (anew, false));
    }

    #[test]
    fn a_second_owner_is_told_the_pid_of_the_first_and_may_come_when_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Folder::own(dir.path()).unwrap();
        let refused = Folder::own(dir.path()).unwrap_err();
        assert!(
            refused.to_string().contains(&format!("pid {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        Folder::own(dir.path()).unwrap();
    }

    #[test]
    fn a_folder_with_a_long_path_gets_a_socket_with_a_short_one() {
        let long = PathBuf::from("/").join("x".repeat(120));
        assert!(socket_path(&long).as_os_str().len() <= LONGEST_SOCKET_PATH);
        assert_ne!(socket_path(&long), socket_path(&long.join("y")));
    }
}
