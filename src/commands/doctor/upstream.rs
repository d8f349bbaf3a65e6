//! The LLM server: reachable, with this key, its models, its window, its stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;

use super::report::Report;
use crate::config::Config;
use crate::openai;
use crate::prompt::UNKNOWN_WINDOW;
use crate::upstream::{Model, Upstream, UpstreamError, full};

/// A list of models comes sooner than this, where all is well.
const PATIENCE: Duration = Duration::from_secs(10);
/// For one token. A server may have to load the model first.
const ASK_PATIENCE: Duration = Duration::from_secs(120);
/// Under this, passages are few and short.
const SMALL_WINDOW: u64 = 2_048;
/// Names shown.
const SHOWN: usize = 5;

pub async fn check(config: &Config, ask: bool, report: &mut Report) {
    let upstream = match Upstream::new(&config.upstream, openai::read_models) {
        Ok(upstream) => Arc::new(upstream),
        Err(error) => {
            return report.fail(
                "upstream",
                error.to_string(),
                "correct --upstream, or the system's certificates",
            );
        }
    };
    let started = Instant::now();
    let (status, body) = match get_models(&upstream).await {
        Ok(answer) => answer,
        Err(error) => return report.fail("upstream", error.to_string(), advice(&error, config)),
    };
    let took = started.elapsed().as_millis();
    let base = upstream.base();
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let (message, advice) = match config.upstream.key {
                Some(_) => (
                    "refuses the key",
                    "give the LLM server's own key with LASTRO_UPSTREAM_KEY (vLLM: --api-key)",
                ),
                None => (
                    "asks for a key",
                    "give it with LASTRO_UPSTREAM_KEY (vLLM: --api-key); or let each client send its own, with which models and windows are learnt as well (or set --window)",
                ),
            };
            return report.fail("upstream", format!("{base} {message} (status {status})"), advice);
        }
        status => {
            let advice = "the address must be that of an OpenAI-compatible server and end in /v1: try it with curl, adding /models";
            return report.fail("upstream", format!("{base}/models answers with status {status}"), advice);
        }
    }
    let models = match openai::read_models(&body) {
        Some(models) if !models.is_empty() => models,
        listed => {
            let message = match listed {
                Some(_) => format!("{base} lists no model"),
                None => format!("{base}/models is no list of models"),
            };
            let advice = "clients must know a model's name, and its window is not known: set --window, and look whether the address is right";
            return report.warn("upstream", message, advice);
        }
    };
    let names = shown(models.iter().map(|(id, _)| id.clone()));
    report.ok("upstream", format!("{base} answers in {took} ms with {names}"));
    window(config, &models, report);
    count(&upstream, &models, report).await;
    if ask {
        stream(&upstream, &models, report).await;
    }
}

async fn get_models(upstream: &Upstream) -> Result<(StatusCode, Vec<u8>), UpstreamError> {
    let call = async {
        let response =
            upstream.send(Method::GET, "/models", HeaderMap::new(), full(Default::default())).await?;
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), 16 << 20).collect().await;
        let body = body.map_err(|error| upstream.broken(&*error))?;
        Ok((status, body.to_bytes().to_vec()))
    };
    let late = UpstreamError::HeaderTimeout { base: upstream.base().to_owned(), after: PATIENCE };
    tokio::time::timeout(PATIENCE, call).await.unwrap_or(Err(late))
}

/// What to do about an LLM server that gave no answer.
fn advice(error: &UpstreamError, config: &Config) -> String {
    let secure = config.upstream.base.starts_with("https:");
    match error {
        UpstreamError::Unreachable { cause, .. } => {
            let cause = cause.to_lowercase();
            if cause.contains("certificate") {
                "its certificate is not trusted here: add its authority to the system's certificates or name it in SSL_CERT_FILE, and use the name that the certificate is for".to_owned()
            } else if secure && (cause.contains("corrupt message") || cause.contains("eof")) {
                "it does not seem to speak TLS there: try --upstream with http://".to_owned()
            } else if cause.contains("lookup") || cause.contains("not known") || cause.contains("no address") {
                "the name does not resolve here: correct --upstream, or the DNS (in a container: the service's name, on the same network)".to_owned()
            } else if cause.contains("refused") {
                "nothing listens there: start the LLM server, or correct --upstream; in a container, 127.0.0.1 is the container itself".to_owned()
            } else {
                "look whether the LLM server runs, and whether --upstream and the network between are right".to_owned()
            }
        }
        UpstreamError::ConnectTimeout { .. } => {
            "nothing answers at that address: look at the firewall and the address, or raise --upstream-connect-timeout".to_owned()
        }
        UpstreamError::HeaderTimeout { .. } => {
            "it took the connection and did not answer: it may still be loading its model; look at its log".to_owned()
        }
        UpstreamError::Broken { .. } if !secure => {
            "it does not answer in HTTP: if it speaks TLS, write https:// in --upstream".to_owned()
        }
        _ => "look at the LLM server's log, and at --upstream".to_owned(),
    }
}

/// A model's window, and who says so.
struct Known<'a> {
    model: &'a str,
    configured: Option<u64>,
    told: Option<u64>,
}

impl Known<'_> {
    fn tokens(&self) -> Option<u64> {
        self.configured.or(self.told)
    }
}

fn window(config: &Config, models: &[Model], report: &mut Report) {
    let settings = &config.upstream;
    let of_one = |model: &str| settings.windows.get(model).copied();
    let known: Vec<Known<'_>> = models
        .iter()
        .map(|(model, told)| Known { model, configured: of_one(model).or(settings.window), told: *told })
        .collect();
    for name in settings.windows.keys().filter(|name| !known.iter().any(|known| known.model == *name)) {
        report.warn(
            "window",
            format!("one is configured for {name}, which the LLM server does not list"),
            "correct the name in --windows, or take it out",
        );
    }
    let too_large =
        known.iter().find(|known| known.configured.zip(known.told).is_some_and(|(set, told)| set > told));
    if let Some(Known { model, configured: Some(set), told: Some(told) }) = too_large {
        let option = if of_one(model).is_some() { "--windows" } else { "--window" };
        return report.fail(
            "window",
            format!("{set} tokens are configured for {model}, but the LLM server has {told}"),
            format!("take {option} out: the LLM server tells its own"),
        );
    }
    let unknown: Vec<&str> =
        known.iter().filter(|known| known.tokens().is_none()).map(|known| known.model).collect();
    if !unknown.is_empty() {
        return report.warn(
            "window",
            format!(
                "{} of {} models do not tell theirs ({}): {UNKNOWN_WINDOW} tokens are assumed",
                unknown.len(),
                known.len(),
                shown(unknown.iter().map(|model| (*model).to_owned()))
            ),
            "set --window to the model's own, or --windows for each of several (vLLM and llama.cpp tell it in /v1/models)",
        );
    }
    let by =
        |known: &Known<'_>| if known.configured.is_some() { "configured" } else { "as the LLM server tells" };
    let message = match &known[..] {
        [only] => format!("{} tokens, {}", only.tokens().unwrap_or_default(), by(only)),
        several => shown(several.iter().map(|known| {
            format!("{} {} tokens ({})", known.model, known.tokens().unwrap_or_default(), by(known))
        })),
    };
    match known.iter().any(|known| known.tokens().is_some_and(|tokens| tokens < SMALL_WINDOW)) {
        true => report.warn(
            "window",
            message,
            "few passages fit: start the LLM server with a larger one (vLLM: --max-model-len)",
        ),
        false => report.ok("window", message),
    }
}

/// The first few of several.
fn shown(several: impl ExactSizeIterator<Item = String>) -> String {
    let more = several.len() > SHOWN;
    let mut first: Vec<String> = several.take(SHOWN).collect();
    first.extend(more.then(|| "...".to_owned()));
    first.join(", ")
}

async fn count(upstream: &Upstream, models: &[Model], report: &mut Report) {
    let model = models.first().map(|(id, _)| id.as_str());
    let counted =
        upstream.count_tokens(model, &[("messages", r#"[{"role":"user","content":"ok"}]"#)], None).await;
    report.ok(
        "tokens",
        match counted {
            Some(_) => "the LLM server counts them at /tokenize: prompts may fill the window",
            None => {
                "no /tokenize: they are estimated on the safe side, so that a prompt fills the window less"
            }
        },
    );
}

async fn stream(upstream: &Upstream, models: &[Model], report: &mut Report) {
    let Some((model, _)) = models.first() else { return };
    let started = Instant::now();
    match tokio::time::timeout(ASK_PATIENCE, ask(upstream, model)).await {
        Ok(Ok(())) => {
            let took = started.elapsed().as_millis();
            report.ok("stream", format!("{model} streamed a token, all in {took} ms"));
        }
        Ok(Err(problem)) => {
            report.fail("stream", format!("{model}: {problem}"), "look at the LLM server's log")
        }
        Err(_) => report.fail(
            "stream",
            format!("{model} gave no token within {} s", ASK_PATIENCE.as_secs()),
            "it may be loading, or busy: look at the LLM server's log",
        ),
    }
}

/// Asks for one token.
async fn ask(upstream: &Upstream, model: &str) -> Result<(), String> {
    let body = json!({ "model": model, "stream": true, "max_tokens": 1,
        "messages": [{ "role": "user", "content": "Say ok." }] });
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let sent = upstream.send(Method::POST, "/chat/completions", headers, full(body.to_string().into())).await;
    let response = sent.map_err(|error| error.to_string())?;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let events = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    let body = http_body_util::Limited::new(response.into_body(), 1 << 20).collect().await;
    let body = body.map_err(|error| upstream.broken(&*error).to_string())?.to_bytes();
    match (status.is_success(), events) {
        (false, _) => Err(format!("status {status}")),
        (true, false) => Err("it was asked for a stream and sent none".to_owned()),
        (true, true) if !body.windows(5).any(|window| window == b"data:") => {
            Err("the stream holds nothing".to_owned())
        }
        (true, true) => Ok(()),
    }
}
