//! What a folder lies on: the file system of its mount, and whether a database may live there.

use std::path::{Path, PathBuf};

/// A mount, as `/proc/self/mountinfo` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub point: PathBuf,
    /// Such as `ext4` or `fuse.gcsfuse`.
    pub kind: String,
    /// What is mounted there.
    pub source: String,
}

/// Whether SQLite may live on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    Good,
    /// In memory: it works, and nothing outlives the machine.
    Memory,
    /// Locks and shared memory may not work as SQLite's write-ahead log needs them.
    Network,
    /// A bucket shown as files: no locks, no partial writes.
    Bucket,
}

/// Words in the names of file systems that show a bucket.
const BUCKETS: [&str; 8] = ["gcs", "s3", "goofys", "blobfuse", "rclone", "ossfs", "cosfs", "bucket"];
const NETWORKS: [&str; 12] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "ncpfs", "gfs2"];

impl Mount {
    /// Whether a database may live here. SQLite's write-ahead log needs memory shared between processes and sound
    /// locks, which it does not get over a network (<https://sqlite.org/wal.html>).
    pub fn fitness(&self) -> Fitness {
        let fuse = self.kind == "fuse" || self.kind.starts_with("fuse.");
        let named = [self.kind.as_str(), self.source.as_str()];
        match self.kind.as_str() {
            "tmpfs" | "ramfs" => Fitness::Memory,
            _ if fuse && named.iter().any(|name| BUCKETS.iter().any(|word| name.contains(word))) => {
                Fitness::Bucket
            }
            // Disks that are shown through FUSE.
            "fuse.fuseblk" | "fuse.ext4" | "fuse.fuse-overlayfs" => Fitness::Good,
            _ if fuse || NETWORKS.contains(&self.kind.as_str()) => Fitness::Network,
            _ => Fitness::Good,
        }
    }
}

/// The mount that an absolute path without links lies on: the longest mount point above it, the last where there are
/// several.
pub fn mount_of(path: &Path, mountinfo: &str) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(parse);
    mounts.filter(|mount| path.starts_with(&mount.point)).max_by_key(|m| m.point.components().count())
}

/// One line (`man 5 proc_pid_mountinfo`): `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw`.
fn parse(line: &str) -> Option<Mount> {
    let (mount, system) = line.split_once(" - ")?;
    let point = mount.split(' ').nth(4)?;
    let mut system = system.split(' ');
    let (kind, source) = (system.next()?.to_owned(), unescaped(system.next()?));
    Some(Mount { point: unescaped(point).into(), kind, source })
}

/// Spaces, tabs, line ends and backslashes are written as three octal digits.
fn unescaped(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(|_| byte == b'\\') {
            Some(code) => {
                plain.push(code);
                rest = &after[3..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
22 27 0:20 / /proc rw,nosuid - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 0:25 / /mnt rw - tmpfs tmpfs rw
31 30 0:26 / /mnt/with\\040space rw,relatime shared:5 master:2 - nfs4 server:/export\\134x rw,vers=4.2
32 27 0:27 / /bucket rw - fuse.gcsfuse my-bucket rw
33 27 0:28 / /stacked rw - ext4 /dev/vdb rw
34 33 0:29 / /stacked rw - 9p host rw
a line that is none
35 27 0:30 / /mnt2 rw - xfs /dev/vdc rw
";

    #[test]
    fn the_nearest_mount_counts() {
        for (path, kind, point) in [
            ("/home/data", "ext4", "/"),
            ("/", "ext4", "/"),
            ("/mnt/data", "tmpfs", "/mnt"),
            ("/mnt/with space/data", "nfs4", "/mnt/with space"),
            ("/mnt2/data", "xfs", "/mnt2"),
            ("/stacked/data", "9p", "/stacked"),
            ("/bucket", "fuse.gcsfuse", "/bucket"),
        ] {
            let mount = mount_of(Path::new(path), MOUNTINFO).expect(path);
            assert_eq!((mount.kind.as_str(), mount.point.as_path()), (kind, Path::new(point)), "{path}");
        }
        let shared = mount_of(Path::new("/mnt/with space/x"), MOUNTINFO).expect("a mount");
        assert_eq!(shared.source, "server:/export\\x");
        assert_eq!(mount_of(Path::new("relative"), MOUNTINFO), None);
        assert_eq!(mount_of(Path::new("/x"), "nonsense - \n - \n"), None);
    }

    #[test]
    fn databases_live_on_disks_alone() {
        let fitness = |kind: &str, source: &str| {
            Mount { point: "/".into(), kind: kind.to_owned(), source: source.to_owned() }.fitness()
        };
        for kind in ["ext4", "xfs", "btrfs", "overlay", "apfs", "zfs", "fuse.fuse-overlayfs"] {
            assert_eq!(fitness(kind, "/dev/sda"), Fitness::Good, "{kind}");
        }
        for kind in ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "fuse"] {
            assert_eq!(fitness(kind, "host:/"), Fitness::Network, "{kind}");
        }
        for (kind, source) in
            [("fuse.gcsfuse", "b"), ("fuse", "gcsfuse"), ("fuse.s3fs", "b"), ("fuse.mountpoint-s3", "b")]
        {
            assert_eq!(fitness(kind, source), Fitness::Bucket, "{kind}");
        }
        assert_eq!(fitness("tmpfs", "tmpfs"), Fitness::Memory);
    }
}
