//! The release binary as a process of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A start, a stop and the loading of a model take no longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An outcome whose error is only shown.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What a benchmark of this name tells its caller.
pub fn ended(name: &str, outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What all servers of a run have in common.
#[derive(Clone)]
pub struct Place {
    /// The lastro to start.
    pub program: PathBuf,
    /// A command in front of it that becomes it, such as `taskset -c 1`.
    pub wrapper: Vec<String>,
    pub upstream: SocketAddr,
    pub pdfium: Option<PathBuf>,
    pub client: reqwest::Client,
}

impl Place {
    /// The lastro just built, in front of this LLM server.
    pub fn of_built(upstream: SocketAddr) -> Outcome<Self> {
        Ok(Self { program: built(), wrapper: Vec::new(), upstream, pdfium: None, client: http_client()? })
    }
}

/// How one server differs.
#[derive(Clone, Copy, Default)]
pub struct Settings<'a> {
    pub collections: Option<&'a Path>,
    pub model: Option<&'a Path>,
    /// Further arguments of `lastro serve`.
    pub more: &'a [String],
    /// Where its log goes; to the terminal without.
    pub log: Option<&'a Path>,
}

/// A running server; it ends when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    /// From starting the process to its line that it listens.
    pub start: Duration,
    client: reqwest::Client,
    child: Child,
    /// A pipe that is closed would end the server at its next line.
    _output: BufReader<ChildStdout>,
}

/// An empty data folder on the disk that holds the build.
pub fn data_folder() -> Outcome<TempDir> {
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// The lastro that cargo built for this benchmark.
pub fn built() -> PathBuf {
    env!("CARGO_BIN_EXE_lastro").into()
}

/// A client for setting up: what is timed has sockets of its own.
fn http_client() -> Outcome<reqwest::Client> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?)
}

impl Server {
    /// Starts one on a data folder, and waits until it listens.
    pub async fn start(place: &Place, data: &Path, settings: Settings<'_>) -> Outcome<Self> {
        let mut words = place.wrapper.iter().map(OsStr::new).chain([place.program.as_os_str()]);
        let mut command = Command::new(words.next().ok_or("no program")?);
        command.args(words);
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("LASTRO_")) {
            command.env_remove(name);
        }
        // In the data folder there is neither a settings file nor a folder of collections.
        command.current_dir(data).env("LASTRO_LOG", "error").args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(data).arg("--upstream").arg(format!("http://{}/v1", place.upstream));
        let flags = [
            ("--collections", settings.collections),
            ("--embedding-model", settings.model),
            ("--pdfium", place.pdfium.as_deref()),
        ];
        for (flag, path) in flags {
            if let Some(path) = path {
                command.arg(flag).arg(path);
            }
        }
        command.args(settings.more);
        // Not in this folder: its sample collections would be taken in.
        command.current_dir(data);
        if let Some(log) = settings.log {
            command.stderr(File::create(log).map_err(|e| format!("{}: {e}", log.display()))?);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        timeout(PATIENCE, output.read_line(&mut line))
            .await
            .map_err(|_| "the server did not listen in time")??;
        let start = started.elapsed();
        let address =
            line.trim().strip_prefix("listening on http://").ok_or("the server did not start")?.parse()?;
        Ok(Self { address, start, client: place.client.clone(), child, _output: output })
    }

    /// Waits for the embedding model, if there is to be one.
    pub async fn loaded(&self) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let response = self.client.get(self.url("/ready")).send().await?;
            let body: Value = serde_json::from_slice(&response.bytes().await?)?;
            match body["embedding"]["status"].as_str() {
                Some("loading") => tokio::time::sleep(Duration::from_millis(50)).await,
                Some("failed") => return Err(body["embedding"]["message"].to_string().into()),
                _ => return Ok(()),
            }
        }
        Err("the model was not loaded in time".into())
    }

    /// Waits until every collection has documents and none of them is in progress.
    pub async fn settled(&self) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let response = self.client.get(self.url("/v1/vector_stores")).send().await?;
            let body: Value = serde_json::from_slice(&response.bytes().await?)?;
            let counts: Vec<&Value> =
                body["data"].as_array().into_iter().flatten().map(|c| &c["file_counts"]).collect();
            if !counts.is_empty() && counts.iter().all(|c| c["in_progress"] == 0 && c["total"] != 0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the collections were not ingested in time".into())
    }

    /// Resident memory, and what of it is its own: the rest are pages of its program file. In MiB.
    pub fn memory(&self) -> Outcome<(f64, f64)> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let read = |field: &str| -> Outcome<f64> {
            let line = status.lines().find_map(|l| l.strip_prefix(field)).ok_or("no such field")?;
            let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?;
            Ok(kib / 1024.0)
        };
        Ok((read("VmRSS")?, read("RssAnon")?))
    }

    /// Its process.
    pub fn pid(&self) -> Outcome<u32> {
        Ok(self.child.id().ok_or("the server has ended")?)
    }

    /// Uploads files and waits until they are searchable: the time that took, and the documents.
    pub async fn upload(
        &self,
        collection: &str,
        files: Vec<(String, Vec<u8>)>,
    ) -> Outcome<(Duration, Vec<Value>)> {
        let mut form = reqwest::multipart::Form::new();
        for (name, bytes) in files {
            form = form.part("file", reqwest::multipart::Part::bytes(bytes).file_name(name));
        }
        let url = self.url(&format!("/v1/vector_stores/{collection}/documents?create=true&wait=300"));
        let started = Instant::now();
        let response = self.client.post(url).multipart(form).send().await?;
        let body: Value = serde_json::from_slice(&response.bytes().await?)?;
        let took = started.elapsed();
        let documents = body["data"].as_array().ok_or_else(|| format!("upload: {body}"))?.clone();
        match documents.iter().find(|d| d["status"] != "completed") {
            Some(document) => Err(format!("not completed: {document}").into()),
            None => Ok((took, documents)),
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends it as a supervisor would, so that the next start finds everything in order.
    pub async fn stop(mut self) -> Outcome<()> {
        let pid = self.pid()?;
        Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        timeout(PATIENCE, self.child.wait()).await.map_err(|_| "the server did not stop in time")??;
        Ok(())
    }
}
