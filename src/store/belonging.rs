//! What a folder beside the database remembers of it: which one it belongs to, and how far that had come.
//!
//! Restored copies are told by it. A database that is older than what the folder remembers, or another one, does not
//! know all that is in the folder.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Result, StoreError};

/// The file's name in each of the folders.
pub(super) const NAME: &str = "belongs-to";

/// A state of a database: the run that wrote it, and how many commits there had been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub database: String,
    pub run: String,
    pub commits: u64,
}

impl Seen {
    /// What is in a folder that remembers nothing, or nothing that can be read: no database is known to have seen it all.
    pub fn unknown() -> Self {
        Self { database: UNKNOWN.to_owned(), run: UNKNOWN.to_owned(), commits: 0 }
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (database, run, commits) = (words.next()?, words.next()?, words.next()?);
        let seen =
            Self { database: database.to_owned(), run: run.to_owned(), commits: commits.parse().ok()? };
        words.next().is_none().then_some(seen)
    }

    fn write(&self) -> String {
        format!("{} {} {:0width$}\n", self.database, self.run, self.commits, width = DIGITS)
    }
}

const UNKNOWN: &str = "unknown";
/// As many as the largest number has: it is written over in place.
const DIGITS: usize = 20;
const HEAD: &str =
    "lastro: this folder belongs to the database (and its run, and its commits) of the next line.\n";

/// What a folder remembers: its database's last state, and those of databases that went away before it, which may have
/// named what the present one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    pub last: Option<Seen>,
    pub before: Vec<Seen>,
}

impl Remembered {
    /// Reads a folder's memory. What is damaged counts as unknown.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read.map_err(StoreError::io(&path))?,
        };
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.strip_prefix(HEAD).unwrap_or("?").lines();
        let mut next = || lines.next().map(|line| Seen::read(line).unwrap_or_else(Seen::unknown));
        let last = Some(next().unwrap_or_else(Seen::unknown));
        Ok(Self { last, before: std::iter::from_fn(next).collect() })
    }

    /// All states that the folder has seen.
    pub fn all(&self) -> impl Iterator<Item = &Seen> {
        self.last.iter().chain(&self.before)
    }
}

/// A folder's memory, held open: it follows the commits of the run that began it.
#[derive(Debug)]
pub(super) struct Memory {
    folder: PathBuf,
    file: File,
    seen: Seen,
    at: u64,
}

impl Memory {
    /// Begins a run: the folder must exist.
    pub fn begin(folder: &Path, seen: Seen, before: &[Seen]) -> Result<Self> {
        let path = folder.join(NAME);
        let unfinished = folder.join(format!("{NAME}.new"));
        let last = seen.write();
        let at = (HEAD.len() + last.len() - DIGITS - 1) as u64;
        let text = before.iter().fold(format!("{HEAD}{last}"), |text, seen| text + &seen.write());
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            Ok(file)
        };
        // The folder is not waited for: where its new file is lost, the last one says nothing that was not so.
        let file = write().map_err(StoreError::io(&path))?;
        Ok(Self { folder: folder.to_owned(), file, seen, at })
    }

    /// The same run with other states of before.
    pub fn rewrite(&mut self, before: &[Seen]) -> Result<()> {
        *self = Self::begin(&self.folder, self.seen.clone(), before)?;
        Ok(())
    }

    /// Follows a commit. Not synced: what a crash of the machine takes back is that the folder saw the last commits, and
    /// the database that made them is still there then.
    pub fn follow(&mut self, commits: u64) {
        self.seen.commits = commits;
        let digits = format!("{commits:0width$}", width = DIGITS);
        if let Err(error) = self.file.write_all_at(digits.as_bytes(), self.at) {
            tracing::debug!(%error, folder = %self.folder.display(), "a folder does not remember the last commit");
        }
    }

    /// Brings it to the disk.
    pub fn settle(&self) -> Result<()> {
        self.file.sync_data().map_err(StoreError::io(self.folder.join(NAME)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(database: &str, commits: u64) -> Seen {
        Seen { database: database.to_owned(), run: "r".to_owned(), commits }
    }

    #[test]
    fn a_folder_remembers_the_last_commit_and_what_was_before() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Remembered::of(folder.path())?, Remembered::default());
        let mut memory = Memory::begin(folder.path(), seen("a", 3), &[seen("b", 9), Seen::unknown()])?;
        memory.follow(12_345);
        memory.settle()?;
        let found = Remembered::of(folder.path())?;
        assert_eq!(
            found.all().cloned().collect::<Vec<_>>(),
            [seen("a", 12_345), seen("b", 9), Seen::unknown()]
        );
        memory.rewrite(&[])?;
        memory.follow(12_346);
        assert_eq!(
            Remembered::of(folder.path())?,
            Remembered { last: Some(seen("a", 12_346)), before: vec![] }
        );
        Ok(())
    }

    #[test]
    fn what_is_damaged_is_unknown() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        for text in [&b""[..], b"\xff", HEAD.as_bytes(), format!("{HEAD}a r x\n").as_bytes()] {
            fs::write(folder.path().join(NAME), text).expect("a file");
            assert_eq!(Remembered::of(folder.path())?.last, Some(Seen::unknown()), "{text:?}");
        }
        Ok(())
    }
}
