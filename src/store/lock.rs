//! One process per data folder.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Result, StoreError};

/// A process that was told to stop needs a moment to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

const NAME: &str = "lock";

/// Who has a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// A process, as it describes itself.
    Process(Option<String>),
}

/// Holds the data folder until dropped. The operating system releases it when the process dies.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

impl DataLock {
    /// Takes the folder, creating it where needed. [`StoreError::InUse`] if another process keeps it. Blocks for up to a second.
    pub fn take(folder: &Path) -> Result<Self> {
        // People's documents: for nobody else's eyes. A folder that exists keeps its mode.
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(StoreError::io(folder))?;
        let path = folder.join(NAME);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StoreError::io(&path))?;
        let patience = Instant::now() + PATIENCE;
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(50));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::InUse { path: folder.to_owned(), holder: described(&mut file) })
            }
            Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
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
            Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
        }
    }

    /// Writes who holds the folder, for the message that the next process gets.
    pub fn describe(&mut self, holder: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(holder.as_bytes())
    }
}

/// Who holds it, which is only for messages.
fn described(file: &mut File) -> Option<String> {
    let mut holder = String::new();
    file.read_to_string(&mut holder).ok()?;
    Some(holder.trim().to_owned()).filter(|holder| !holder.is_empty())
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
}
