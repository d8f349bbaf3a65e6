//! What is started: a command, and what its first answer must be like.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::filled::COLLECTION;
use crate::process::Place;
use crate::store::Stores;
use crate::{Arguments, Outcome, kept};

/// A program to start.
pub struct Target {
    /// As `--targets` has it.
    pub id: String,
    pub name: String,
    pub version: String,
    /// Where it is asked; nothing is asked without.
    pub path: Option<String>,
    pub grounded: bool,
    /// Vectors are read beside answering by words.
    pub dense: bool,
    /// Why it is not measured.
    pub absent: Option<String>,
    kind: Kind,
}

enum Kind {
    Lastro { program: PathBuf, data: Option<PathBuf>, model: Option<PathBuf> },
    Peer { script: PathBuf, folder: Option<PathBuf> },
}

/// What the script of the peers tells of one.
#[derive(Deserialize)]
struct Peer {
    command: Vec<String>,
    environment: HashMap<String, String>,
    folder: PathBuf,
    version: String,
}

/// Everything that is wanted, in the order of the report.
pub fn all(arguments: &Arguments, place: &Place, stores: &Stores) -> Vec<Target> {
    let mut targets = Vec::new();
    let others = arguments.binary.iter().map(|(name, path)| (name.as_str(), path));
    for (name, program) in [("lastro", &place.program)].into_iter().chain(others) {
        let mut lastro = |id: &str, what: &str, data: Option<&Path>, model: Option<&Path>| {
            if !arguments.wants(id) {
                return;
            }
            let kind = Kind::Lastro {
                program: program.clone(),
                data: data.map(Path::to_owned),
                model: model.map(Path::to_owned),
            };
            targets.push(Target {
                id: format!("{name}-{id}"),
                name: format!("{name}, {what}"),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                path: data.is_some().then(|| format!("/c/{COLLECTION}/v1/chat/completions")),
                grounded: data.is_some(),
                dense: model.is_some(),
                absent: None,
                kind,
            });
        };
        lastro("empty", "nothing stored", None, None);
        lastro("words", "by words", Some(&stores.words), None);
        match &stores.vectors {
            Ok(data) => lastro("minilm", "with MiniLM", Some(data), Some(&stores.model)),
            Err(error) => eprintln!("{name} with MiniLM is not measured: {error}"),
        }
    }
    let peer = |id: &str, name: &str, grounded: bool, folder: Outcome<Option<PathBuf>>| {
        let kind =
            Kind::Peer { script: arguments.peers.clone(), folder: folder.as_ref().ok().cloned().flatten() };
        let mut target = Target {
            id: id.to_owned(),
            name: name.to_owned(),
            version: String::new(),
            path: Some("/v1/chat/completions".to_owned()),
            grounded,
            dense: false,
            absent: None,
            kind,
        };
        match folder.and_then(|_| target.peer(SocketAddr::from(([127, 0, 0, 1], 9)), place.upstream)) {
            Ok(peer) => target.version = peer.version,
            Err(error) => target.absent = Some(error.to_string()),
        }
        target
    };
    if arguments.wants("litellm") {
        targets.push(peer("litellm", "LiteLLM (grounds nothing)", false, Ok(None)));
    }
    if arguments.wants("python-chat") {
        let folder = stores.python_chat.as_ref().map(|folder| Some(folder.clone()));
        let folder = folder.map_err(|error| error.to_string().into());
        targets.push(peer("python-chat", "document chat in Python", true, folder));
    }
    targets
}

impl Target {
    /// Whether it is a lastro.
    pub fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Lastro { .. })
    }

    /// The command that starts it to listen there. `data` is an empty folder for what has none of its own. What it says
    /// goes into a log.
    pub fn command(&self, listen: SocketAddr, upstream: SocketAddr, data: &Path) -> Outcome<Command> {
        let mut command = match &self.kind {
            Kind::Lastro { program, data: kept, model } => {
                let mut command = Command::new(program);
                for (name, _) in
                    std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("LASTRO_"))
                {
                    command.env_remove(name);
                }
                command.args(["serve", "--listen", &listen.to_string(), "--data"]);
                command.arg(kept.as_deref().unwrap_or(data));
                command.args(["--upstream", &format!("http://{upstream}/v1")]);
                // Not in this folder: its sample collections would be taken in.
                command.current_dir(data);
                if let Some(model) = model {
                    command.arg("--embedding-model").arg(model);
                }
                command
            }
            Kind::Peer { .. } => {
                let peer = self.peer(listen, upstream)?;
                let (program, arguments) = peer.command.split_first().ok_or("no command")?;
                let mut command = Command::new(program);
                command.args(arguments).env_clear().envs(&peer.environment).current_dir(&peer.folder);
                command
            }
        };
        let log = std::fs::File::create(kept::log(&format!("start-{}", self.id))?)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn peer(&self, listen: SocketAddr, upstream: SocketAddr) -> Outcome<Peer> {
        let Kind::Peer { script, folder } = &self.kind else { return Err("it is no peer".into()) };
        let mut command = Command::new(script.canonicalize()?);
        command.args([&self.id, "--command", "--upstream", &upstream.to_string(), "--listen"]);
        command.arg(listen.to_string());
        if let Some(folder) = folder {
            command.arg("--folder").arg(folder);
        }
        let told = command.output()?;
        if !told.status.success() {
            return Err(String::from_utf8_lossy(&told.stderr).trim().to_owned().into());
        }
        Ok(serde_json::from_slice(&told.stdout)?)
    }
}
