//! What is measured: a running server, or why there is none.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Outcome;
use crate::answer::Way;
use crate::arguments::{Arguments, Binary, Mode};
use crate::connection::ask;
use crate::cores::Cores;
use crate::filled::COLLECTION;
use crate::kept;
use crate::peer::Peer;
use crate::process::{Place, Server, Settings};
use crate::questions::Questions;

/// A way to an answer.
pub struct Target {
    /// As `--targets` has it.
    pub id: String,
    pub name: String,
    pub version: String,
    /// It finds passages too, and passes on.
    pub grounded: bool,
    /// Targets that it is compared with besides direct, by their places.
    pub against: Vec<usize>,
    pub started: Outcome<Started>,
}

/// A target that runs.
pub struct Started {
    pub way: Way,
    process: Process,
}

enum Process {
    /// The upstream itself.
    None,
    Peer(Peer),
    Lastro {
        server: Box<Server>,
        _data: TempDir,
    },
}

/// The plain path of a chat.
const CHAT: &str = "/v1/chat/completions";
/// A server answers its first question within this.
const PATIENCE: Duration = Duration::from_secs(120);

impl Started {
    /// Its first process.
    pub fn pid(&self) -> Option<u32> {
        match &self.process {
            Process::None => None,
            Process::Peer(peer) => Some(peer.pid()),
            Process::Lastro { server, .. } => server.pid().ok(),
        }
    }

    /// Asks until an answer is as it must be.
    fn ready(self, questions: &Questions) -> Outcome<Self> {
        let until = Instant::now() + PATIENCE;
        loop {
            let Err((failure, what)) = ask(&self.way, &questions.chat(), u32::MAX) else { return Ok(self) };
            if let Process::Peer(peer) = &self.process
                && let Some(why) = peer.ended()
            {
                return Err(why.into());
            }
            if Instant::now() > until {
                return Err(
                    format!("no answer after {} s: {}, {what}", PATIENCE.as_secs(), failure.name()).into()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Starts every target that is wanted, in the order of the report.
pub struct Starter<'a> {
    pub arguments: &'a Arguments,
    pub place: &'a Place,
    pub cores: &'a Cores,
    pub questions: &'a Questions,
}

impl Starter<'_> {
    pub async fn all(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for name in ["direct", "direct again"] {
            let started = self.started(self.place.upstream, CHAT, None, Process::None);
            targets.push(target(name.to_owned(), name, "", started));
        }
        // Its two threads for each connection are no match for thousands of them.
        let usual = self.arguments.mode != Mode::Halfopen || !self.arguments.targets.is_empty();
        if self.arguments.wants("tcp") && usual {
            let peer = Peer::relay(self.place.upstream, &self.cores.wrapper());
            targets.push(target("tcp".to_owned(), "bare TCP relay", "", self.peer(peer)));
        }
        for (name, version) in Peer::list(&self.arguments.peers) {
            if !self.arguments.wants(&name) {
                continue;
            }
            let (version, peer) = match version {
                Ok(version) => {
                    eprintln!("starting {name} {version}");
                    (
                        version,
                        Peer::start(&self.arguments.peers, &name, self.place.upstream, &self.cores.wrapper()),
                    )
                }
                Err(absent) => (String::new(), Err(absent.into())),
            };
            targets.push(target(name.clone(), &name, &version, self.peer(peer)));
        }
        for binary in &self.arguments.binary {
            self.lastros(binary, &mut targets).await;
        }
        targets
    }

    fn peer(&self, peer: Outcome<Peer>) -> Outcome<Started> {
        let peer = peer?;
        self.started(peer.address, CHAT, None, Process::Peer(peer))
    }

    async fn lastros(&self, binary: &Binary, targets: &mut Vec<Target>) {
        let version = version(&binary.path);
        let ways = [
            ("plain", "plain", None),
            ("words", "grounded, words", Some("lexical")),
            ("minilm", "grounded, MiniLM", Some("hit")),
        ];
        for (id, what, status) in ways {
            // Without a wish the other modes look at the plain relay alone.
            let usual =
                self.arguments.mode == Mode::Ttft || !self.arguments.targets.is_empty() || id == "plain";
            if self.arguments.wants(id) && usual {
                let started = self.lastro(binary, id, status).await;
                let name = format!("{} {what}", binary.name);
                let mut found = target(format!("{}-{id}", binary.name), &name, &version, started);
                // The same of the first binary, and the proxy that a plain relay has to equal.
                let first = format!("{}-{id}", self.arguments.binary[0].name);
                let others = |t: &Target| t.id == first || (id == "plain" && t.id == "nginx");
                found.against = (0..targets.len()).filter(|index| others(&targets[*index])).collect();
                targets.push(found);
            }
        }
    }

    async fn lastro(&self, binary: &Binary, id: &str, status: Option<&'static str>) -> Outcome<Started> {
        let place =
            Place { program: binary.path.clone(), wrapper: self.cores.wrapper(), ..self.place.clone() };
        let model = self.arguments.model.canonicalize();
        let model = match id {
            "minilm" => Some(
                model.map_err(|e| format!("{}: {e}; --model names it", self.arguments.model.display()))?,
            ),
            _ => None,
        };
        let chunks = if model.is_some() { self.arguments.model_chunks } else { self.arguments.chunks };
        let data = match status {
            Some(_) => {
                // On all cores.
                let place = Place { wrapper: Vec::new(), ..place.clone() };
                kept::copy(&place, self.questions, model.as_deref(), chunks).await?
            }
            None => crate::process::data_folder()?,
        };
        let mut more = Vec::new();
        if self.arguments.mode == Mode::Halfopen && help(&binary.path).contains("--header-timeout") {
            more = vec!["--header-timeout".to_owned(), self.arguments.header_timeout.to_string()];
        }
        let log = kept::log(&format!("{}-{id}", binary.name))?;
        let settings =
            Settings { model: model.as_deref(), more: &more, log: Some(&log), ..Settings::default() };
        let server = Server::start(&place, data.path(), settings).await?;
        server.loaded().await?;
        let path = if status.is_some() { format!("/c/{COLLECTION}{CHAT}") } else { CHAT.to_owned() };
        let address = server.address;
        self.started(address, &path, status, Process::Lastro { server: server.into(), _data: data })
    }

    fn started(
        &self,
        address: SocketAddr,
        path: &str,
        status: Option<&'static str>,
        process: Process,
    ) -> Outcome<Started> {
        let way = Way { address, path: path.to_owned(), status, frames: Some(self.arguments.frames) };
        Started { way, process }.ready(self.questions)
    }
}

fn target(id: String, name: &str, version: &str, started: Outcome<Started>) -> Target {
    if let Err(why) = &started {
        eprintln!("{name}: {why}");
    }
    let grounded =
        started.as_ref().is_ok_and(|started| started.way.status.is_some()) || name.contains("grounded");
    Target { id, name: name.to_owned(), version: version.to_owned(), grounded, against: Vec::new(), started }
}

fn version(program: &Path) -> String {
    output(program, &["--version"]).trim().to_owned()
}

fn help(program: &Path) -> String {
    output(program, &["serve", "--help"])
}

fn output(program: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
