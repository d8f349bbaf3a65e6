//! Other proxies, started by a script that becomes them, and the bare relay that is this program.

use std::cell::RefCell;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::usage::tree;
use crate::{Outcome, kept};

/// Those that the script knows, in the order of the report.
const NAMES: [&str; 5] = ["nginx", "envoy", "vllm-router", "agentic-api", "litellm"];
/// Time to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running proxy; it ends when this is dropped.
pub struct Peer {
    pub address: SocketAddr,
    child: RefCell<Child>,
    log: PathBuf,
}

impl Peer {
    /// Every proxy by name, with its version or why it is absent.
    pub fn list(script: &Path) -> Vec<(String, Result<String, String>)> {
        let listed = Command::new(script).arg("--list").output();
        let text = match &listed {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(_) => String::new(),
        };
        let state = |name: &str| {
            let mut lines = text.lines().map(|line| line.splitn(3, '\t').collect::<Vec<_>>());
            match (&listed, lines.find(|fields| fields[0] == name).as_deref()) {
                (Err(error), _) => Err(format!("absent: {}: {error}", script.display())),
                (_, Some([_, "present", version])) => Ok((*version).to_owned()),
                (_, Some([_, "absent", why])) => Err(format!("absent: {why}")),
                _ => Err(format!("absent: {} --list does not tell of it", script.display())),
            }
        };
        NAMES.iter().map(|name| ((*name).to_owned(), state(name))).collect()
    }

    /// Starts one in front of the upstream.
    pub fn start(script: &Path, name: &str, upstream: SocketAddr, wrapper: &[String]) -> Outcome<Self> {
        let address = free()?;
        let flags =
            ["--upstream".to_owned(), upstream.to_string(), "--listen".to_owned(), address.to_string()];
        let script = script.canonicalize()?.to_string_lossy().into_owned();
        Self::spawn(name, address, [wrapper, &[script, name.to_owned()], &flags].concat())
    }

    /// Starts this program as a relay that only passes bytes on.
    pub fn relay(upstream: SocketAddr, wrapper: &[String]) -> Outcome<Self> {
        let address = free()?;
        let program = std::env::current_exe()?.to_string_lossy().into_owned();
        let flags = ["--relay".to_owned(), address.to_string(), upstream.to_string()];
        Self::spawn("relay", address, [wrapper, &[program], &flags].concat())
    }

    fn spawn(name: &str, address: SocketAddr, words: Vec<String>) -> Outcome<Self> {
        let log = kept::log(name)?;
        let file = File::create(&log)?;
        let (program, arguments) = words.split_first().ok_or("no command")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().map_err(|e| format!("{program}: {e}"))?;
        Ok(Self { address, child: RefCell::new(child), log })
    }

    /// Its first process.
    pub fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Why it runs no longer, if so.
    pub fn ended(&self) -> Option<String> {
        let status = self.child.borrow_mut().try_wait().ok()??;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last =
            log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
        Some(format!("ended with {status}: {last} ({})", self.log.display()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let all: Vec<String> = tree(self.pid()).iter().map(u32::to_string).collect();
        let signal = |name: &str, pids: &[String]| {
            // Those that have ended already are none to tell.
            let _ = Command::new("kill").arg(name).args(pids).stderr(Stdio::null()).status();
        };
        signal("-TERM", &all[..1]);
        let until = Instant::now() + PATIENCE;
        let running = |pid: &String| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
        };
        while Instant::now() < until && all.iter().any(running) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let left: Vec<String> = all.into_iter().filter(running).collect();
        if !left.is_empty() {
            signal("-KILL", &left);
        }
        // It was told to end, and its end is of no interest.
        let _ = self.child.borrow_mut().wait();
    }
}

/// An address that nobody listens on.
fn free() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
