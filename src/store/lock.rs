//! One process per data folder.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{OpenError, Result, StoreError};

/// A process that was killed needs a moment to be gone.
const PATIENCE: Duration = Duration::from_secs(1);
/// One that finishes its answers needs longer, and is to be followed at once: that is a restart.
const PATIENCE_WITH_STOPPING: Duration = Duration::from_secs(60);
/// The second line of the lock's file, where its holder is stopping.
const STOPPING: &str = "stopping";

const NAME: &str = "lock";

/// Who has a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// A process, as it describes itself.
    Process(Option<String>),
}

/// What the lock's file says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Description {
    holder: String,
    is_stopping: bool,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.holder)?;
        if self.is_stopping { f.write_str(", which is stopping") } else { Ok(()) }
    }
}

impl Description {
    /// Reads it, for messages, and for how long to wait. None where the holder has not described itself yet.
    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_to_string(&mut text).ok()?;
        let mut lines = text.lines();
        let holder = lines.next().unwrap_or_default().trim().to_owned();
        let is_stopping = lines.next() == Some(STOPPING);
        Some(Self { holder, is_stopping }).filter(|description| !description.holder.is_empty())
    }

    fn write(&self, file: &mut File) -> std::io::Result<()> {
        let second = if self.is_stopping { STOPPING } else { "" };
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(format!("{}\n{second}", self.holder).as_bytes())
    }
}

/// Holds the data folder until dropped. The operating system releases it when the process dies.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

impl DataLock {
    /// Takes the folder, creating it where needed; [`OpenError::NoParent`] where the one above it is missing.
    /// [`OpenError::InUse`] if another process keeps it. Blocks for up to a second, or a minute while that process is
    /// stopping.
    pub fn take(folder: &Path) -> std::result::Result<Self, OpenError> {
        // People's documents: for nobody else's eyes. A folder that exists keeps its mode.
        // The folder above it is not made: it may be where a disk should be mounted.
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(OpenError::NoParent(folder.to_owned()));
            }
            made => made.map_err(StoreError::io(folder))?,
        }
        let path = folder.join(NAME);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StoreError::io(&path))?;
        let began = Instant::now();
        let mut told = false;
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock)) {
            let holder = Description::read(&mut file).filter(|holder| holder.is_stopping);
            let patience = if holder.is_some() { PATIENCE_WITH_STOPPING } else { PATIENCE };
            if began.elapsed() >= patience {
                break;
            }
            if let Some(holder) = holder.filter(|_| !std::mem::replace(&mut told, true)) {
                tracing::info!(%holder, folder = %folder.display(), "waiting for the data folder");
            }
            std::thread::sleep(Duration::from_millis(50));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => {
                Err(OpenError::InUse { path: folder.to_owned(), holder: described(&mut file) })
            }
            Err(TryLockError::Error(error)) => Err(StoreError::io(path)(error).into()),
        }
    }

    /// Who has the folder, without taking it or making anything in it.
    pub fn holder(folder: &Path) -> Result<Holder> {
        let path = folder.join(NAME);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Holder::Nobody),
            file => file.map_err(StoreError::io(&path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Holder::Process(described(&mut file))),
            Err(TryLockError::Error(error)) => Err(StoreError::io(path)(error)),
        }
    }

    /// Writes that who holds the folder is about to leave it: the next process waits.
    pub fn describe_stopping(&mut self, holder: &str) -> std::io::Result<()> {
        Description { holder: holder.to_owned(), is_stopping: true }.write(&mut self.file)
    }

    /// Writes who holds the folder, for the message that the next process gets.
    pub fn describe(&mut self, holder: &str) -> std::io::Result<()> {
        Description { holder: holder.to_owned(), is_stopping: false }.write(&mut self.file)
    }
}

fn described(file: &mut File) -> Option<String> {
    Description::read(file).map(|description| description.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_name_of_the_first()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let mut first = DataLock::take(folder.path())?;
        first.describe("process 1 at http://127.0.0.1:1")?;
        let error = DataLock::take(folder.path()).expect_err("the folder is held");
        assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");
        let holder = Holder::Process(Some("process 1 at http://127.0.0.1:1".to_owned()));
        assert_eq!(DataLock::holder(folder.path())?, holder);
        drop(first);
        assert_eq!(DataLock::holder(folder.path())?, Holder::Nobody);
        DataLock::take(folder.path())?;
        Ok(())
    }

    #[test]
    fn a_holder_that_is_stopping_is_waited_for() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let mut first = DataLock::take(folder.path())?;
        first.describe_stopping("process 1")?;
        let holder = Holder::Process(Some("process 1, which is stopping".to_owned()));
        assert_eq!(DataLock::holder(folder.path())?, holder);
        let leaves = std::thread::spawn(move || {
            std::thread::sleep(PATIENCE * 2);
            drop(first);
        });
        let mut next = DataLock::take(folder.path())?;
        leaves.join().expect("it only sleeps");
        next.describe("process 2")?;
        let error = DataLock::take(folder.path()).expect_err("the folder is held");
        assert!(error.to_string().contains("process 2") && !error.to_string().contains(STOPPING), "{error}");
        Ok(())
    }

    #[test]
    fn only_the_folder_itself_is_made() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("disk/data");
        let error = DataLock::take(&data).expect_err("the disk is not mounted");
        assert!(error.to_string().contains("mount"), "{error}");
        std::fs::create_dir(folder.path().join("disk"))?;
        DataLock::take(&data)?;
        Ok(())
    }
}
