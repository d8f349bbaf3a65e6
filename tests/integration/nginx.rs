//! Behind a real nginx, with the buffers that it has by default and with those that docker/README.md names: an answer's
//! head gets through whatever documents are called.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Piece, Reply, Request, World, eventually, question_body};

/// As many documents as long names, accented as Portuguese ones are, and in letters of more bytes.
const DOCUMENTS: usize = 40;

/// nginx in front of a server. It is killed when the test is over.
struct Nginx {
    address: SocketAddr,
    _process: Child,
    _folder: tempfile::TempDir,
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/nginx/usr/sbin"));
    let found = folders.into_iter().map(|folder| folder.join("nginx")).find(|program| program.is_file());
    if found.is_none() {
        println!("skipped: there is no nginx here (scripts/nginx fetches Debian's)");
    }
    found
}

impl Nginx {
    /// `location` stands where the server is passed on to.
    async fn start(program: &Path, server: SocketAddr, location: &str) -> Self {
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a temporary folder");
            // Free a moment ago: should somebody else have it by now, another is taken.
            let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = free.local_addr().expect("an address");
            drop(free);
            let place = folder.path().display();
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {place}/{kind};\n"))
                .concat();
            // Started as root, it would give the worker to a user who may not read the folder.
            let owner = std::fs::metadata(folder.path()).expect("the folder").uid();
            let user = if owner == 0 { "user root;\n" } else { "" };
            let settings = format!(
                "{user}daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr error;\nevents {{}}\n\
                 http {{\naccess_log off;\n{temporary}server {{\nlisten {address};\n\
                 location / {{\nproxy_pass http://{server};\n{location}\n}}\n}}\n}}\n"
            );
            let file = folder.path().join("nginx.conf");
            std::fs::write(&file, settings).expect("the settings are written");
            let mut command = Command::new(program);
            command.arg("-p").arg(folder.path()).args(["-e", "stderr", "-c"]).arg(&file);
            let mut process = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .expect("nginx starts");
            let listens = eventually(|| async {
                if TcpStream::connect(address).await.is_ok() {
                    return Some(true);
                }
                None
            });
            tokio::select! {
                _ = listens => return Self { address, _process: process, _folder: folder },
                ended = process.wait() => println!("nginx ended and is started again: {ended:?}"),
            }
        }
        panic!("nginx does not start with {location}");
    }

    async fn ask(&self, request: &Request) -> Reply {
        request.send(self.address).await.reply().await
    }
}

/// The lines of the `location` in docker/README.md that say how answers are passed on.
fn documented() -> String {
    let guide = include_str!("../../docker/README.md");
    let location =
        guide.split_once("location / {").and_then(|(_, rest)| rest.split_once('}')).expect("a location").0;
    let lines = location.lines().filter(|line| !line.contains("proxy_pass") && !line.contains("server_name"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Bytes of what lastro adds to a head.
fn ours(reply: &Reply) -> usize {
    let added = ["server-timing", "x-accel-buffering", "cache-control", "x-request-id"];
    let ours =
        reply.headers.iter().filter(|(name, _)| name.starts_with("x-rag-") || added.contains(&name.as_str()));
    ours.map(|(name, value)| name.len() + value.len() + 4).sum()
}

async fn world() -> World {
    let world = World::start("window = 200000").await;
    let name = |n: usize| match n % 2 {
        0 => format!(
            "Relatório de avaliação da manutenção nº {n:02} — versão definitiva, {}.md",
            "revisão ".repeat(15)
        ),
        _ => format!("{n:02} 維修評估報告{}.md", "最終版".repeat(22)),
    };
    let documents: Vec<(String, String)> =
        (0..DOCUMENTS).map(|n| (name(n), format!("The valve of pump {n} is closed at noon."))).collect();
    let documents: Vec<(&str, &str)> =
        documents.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    world.upload("manual", &documents).await;
    world
}

#[tokio::test]
async fn long_names_get_through_nginx() {
    let Some(program) = program() else { return };
    let world = world().await;
    for location in ["".to_owned(), "proxy_buffering off;".to_owned(), documented()] {
        let nginx = Nginx::start(&program, world.address, &location).await;
        // All of them whole, and thirty and fifty passages.
        for passages in [&[][..], &[("X-RAG-K", "30")], &[("X-RAG-K", "50")]] {
            let question = question_body("When is the valve of the pump closed?");
            let chat = Request::new("POST", "/c/manual/v1/chat/completions").headers(passages).json(question);
            world.upstream.play(json_answer("200 OK", r#"{"choices":[]}"#));
            let reply = nginx.ask(&chat).await;
            assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"choices":[]}"#), "{location}");
            assert!(ours(&reply) < 2_048, "{:?}", reply.headers);
            let sources: Vec<serde_json::Value> =
                serde_json::from_str(reply.header("x-rag-sources").expect("sources")).expect("JSON");
            let left_out =
                reply.header("x-rag-sources-left-out").map_or(0, |count| count.parse().expect("a count"));
            assert!(!sources.is_empty() && left_out > 0);
            let wanted = passages.first().map_or(DOCUMENTS, |(_, k)| k.parse().expect("a number"));
            assert_eq!(sources.len() + left_out, wanted.min(DOCUMENTS), "{location}");

            let rest = [chunk(b"two"), LAST_CHUNK.to_vec()].concat();
            let begun = Piece::Bytes([EVENTS, &chunk(b"one")].concat());
            world.upstream.play(vec![begun, Piece::Gate, Piece::Bytes(rest)]);
            let mut stream = chat.send(nginx.address).await;
            assert_eq!(stream.status, 200, "{location}");
            // nginx holds nothing back.
            assert_eq!(stream.exactly(3).await, b"one", "{location}");
            world.upstream.release();
            assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())), "{location}");
        }
    }
}

/// The same where no nginx is at hand: what is added is counted.
#[tokio::test]
async fn what_is_added_to_a_head_is_small_whatever_is_named() {
    let world = world().await;
    for n in 0..12 {
        let name = format!("{}{n:02}", "x".repeat(62));
        world.upload(&name, &[("é.txt", "The valve is closed at noon.")]).await;
    }
    let collections: Vec<String> = (0..12).map(|n| format!("{}{n:02}", "x".repeat(62))).collect();
    let all = format!("manual,{}", collections.join(","));
    for id in ["", &"i".repeat(128), &"i".repeat(3_000)] {
        for target in ["/v1/chat/completions", "/v1/responses"] {
            let body = serde_json::json!({
                "model": "test-model", "input": "When is the valve closed?",
                "messages": [{ "role": "user", "content": "When is the valve closed?" }]
            });
            let mut request =
                Request::new("POST", target).header("X-RAG-Collection", &all).json(body.to_string());
            if !id.is_empty() {
                request = request.header("X-Request-Id", id);
            }
            let reply = world.ask(request).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert!(ours(&reply) < 2_048, "{target}: {:?}", reply.headers);
            let told = reply.header("x-rag-collection").expect("collections").split(',').count();
            assert_eq!(reply.header("x-rag-collections-left-out"), Some((13 - told).to_string().as_str()));
            let asked = world.upstream.last();
            assert!(id.is_empty() || asked.header("x-request-id") == Some(id), "a client's id goes upstream");
            let told = reply.header("x-request-id").expect("an id");
            assert!(told == id || (told.len() == 32 && id.len() != 128), "{told}");
        }
    }
}
