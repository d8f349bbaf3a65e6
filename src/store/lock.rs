//! One process per data folder.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Result, StoreError};

/// A process that was told to stop needs a moment to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

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
        let path = folder.join("lock");
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
                let mut holder = String::new();
                // Who holds it is only for the message.
                let read = file.read_to_string(&mut holder).is_ok();
                let holder = holder.trim().to_owned();
                Err(StoreError::InUse {
                    path: folder.to_owned(),
                    holder: (read && !holder.is_empty()).then_some(holder),
                })
            }
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
        drop(first);
        DataLock::take(folder.path())?;
        Ok(())
    }
}
