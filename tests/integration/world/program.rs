//! The program as it is run: a process of its own, whose memory and descriptors can be looked at from outside.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::{World, within};

/// A running server. It is killed when the test is over.
pub struct Program {
    process: Child,
}

impl World {
    /// Like [`World::start`], with the server in a process of its own.
    pub async fn program(options: &str) -> (Self, Program) {
        Self::prepared(options).await.run_program(options, "error", Stdio::inherit()).await
    }

    /// The same for a world that was prepared before.
    pub async fn start_program(self, options: &str) -> (Self, Program) {
        self.run_program(options, "error", Stdio::inherit()).await
    }

    /// The same, with everything that can be logged in a file.
    pub async fn logged_program(options: &str) -> (Self, Program, PathBuf) {
        let world = Self::prepared(options).await;
        let path = world.folder.path().join("log");
        let log = std::fs::File::create(&path).expect("a log");
        let (world, program) = world.run_program(options, "trace", log.into()).await;
        (world, program, path)
    }

    /// The same, with a line of the log for each request, which nobody reads until [`Program::log`] is called.
    pub async fn unread_program(options: &str) -> (Self, Program) {
        Self::prepared(options).await.run_program(options, "info", Stdio::piped()).await
    }

    async fn run_program(mut self, options: &str, log: &str, stderr: Stdio) -> (Self, Program) {
        let world = &mut self;
        let settings = world.folder.path().join("lastro.toml");
        std::fs::write(&settings, options).expect("the settings are written");
        // A limit of file sizes is then an error of writing, and no signal that ends the process.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_lastro")]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
            command.env_remove(name);
        }
        command.env_remove("RAYON_NUM_THREADS");
        command.arg("serve").arg("--config").arg(settings).args(["--listen", "127.0.0.1:0", "--upstream"]);
        command.arg(format!("http://{}/v1", world.upstream.address));
        command.arg("--data").arg(world.data()).arg("--collections").arg(world.collections());
        command.env("LASTRO_LOG", log).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
        let mut process = command.spawn().expect("the program starts");
        world.address = listening(&mut process).await;
        (self, Program { process })
    }
}

/// Where a process says that it listens; its output is a pipe.
pub async fn listening(process: &mut Child) -> SocketAddr {
    let output = process.stdout.take().expect("its output");
    let line = within(BufReader::new(output).lines().next_line()).await.expect("a line").expect("a line");
    let address = line.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
    address.parse().expect("an address")
}

impl Program {
    /// The log that nobody has read so far.
    pub fn log(&mut self) -> ChildStderr {
        self.process.stderr.take().expect("nobody reads the log")
    }

    fn id(&self) -> u32 {
        self.process.id().expect("the program runs")
    }

    /// No file may grow beyond so many bytes; none: as large as it likes.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let id = i32::try_from(self.id()).expect("a process");
        let limit = bytes.unwrap_or(rlimit::INFINITY);
        rlimit::prlimit(id, rlimit::Resource::FSIZE, Some((limit, rlimit::INFINITY)), None).expect("a limit");
    }

    /// Its variables.
    pub fn environment(&self) -> Vec<String> {
        let environment = std::fs::read(format!("/proc/{}/environ", self.id())).expect("the system tells");
        let entries = environment.split(|byte| *byte == 0);
        entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
    }

    /// How many files and sockets it has open, where the system tells.
    pub fn descriptors(&self) -> Option<usize> {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).ok().map(Iterator::count)
    }

    /// Bytes of memory that it has taken for itself, where the system tells.
    pub fn resident(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
        let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    }

    /// The most memory that it ever had in use, mapped files included, where the system tells.
    pub fn peak(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    }

    /// Tells it to stop, as a container's supervisor does.
    pub async fn terminate(&self) {
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.id())).status().await;
        assert!(told.expect("a shell").success());
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> ExitStatus {
        within(self.process.wait()).await.expect("the program ends")
    }
}
