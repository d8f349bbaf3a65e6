//! Random requests: a route, filled with what is the asker's own, another's, or nobody's.

use fastrand::Rng;

use super::super::world::{Request, form};
use super::tenant::Tenant;

/// A route: how it is called in the tally, its method and target, and what may go with it. `{c}` is a collection, `{f}` a
/// file, `{d}` a document by id or name, `{b}` a batch, `{t}` a trace, `{k}` a key, `{q}` a question.
pub type Route = (&'static str, &'static str, &'static str, &'static [&'static str]);

const NO_BODY: &[&str] = &[""];
const CHATS: &[&str] = &[
    r#"{"model":"test-model","messages":[{"role":"user","content":"{q}"}]}"#,
    r#"{"model":"test-model@{c}","messages":[{"role":"user","content":"{q}"}]}"#,
    r#"{"model":"test-model","messages":[{"role":"user","content":"{q}"}],"tools":[{"type":"file_search","vector_store_ids":["{c}"]}]}"#,
    r#"{"model":"test-model","messages":[{"role":"user","content":"{q}"}],"tools":[{"type":"file_search","vector_store_ids":["{c}","{c}"],"filters":{"type":"eq","key":"team","value":"red"},"max_num_results":3}]}"#,
];
const RESPONSES: &[&str] = &[
    r#"{"model":"test-model","input":"{q}"}"#,
    r#"{"model":"test-model@{c}","input":"{q}"}"#,
    r#"{"model":"test-model","input":"{q}","tools":[{"type":"file_search","vector_store_ids":["{c}"]}],"include":["file_search_call.results"]}"#,
];
const SEARCHES: &[&str] = &[
    r#"{"query":"the code at noon"}"#,
    r#"{"query":["valve","lamp"],"max_num_results":50,"filters":{"type":"or","filters":[{"type":"eq","key":"team","value":"red"},{"type":"ne","key":"mine","value":"x"}]}}"#,
];
const ATTACH: &[&str] = &[r#"{"file_id":"{f}"}"#, r#"{"file_id":"{f}","attributes":{"team":"blue"}}"#];
const BATCHES: &[&str] =
    &[r#"{"file_ids":["{f}"]}"#, r#"{"file_ids":["{f}","{f}"]}"#, r#"{"files":[{"file_id":"{f}"}]}"#];
/// A form with a file.
const FORM: &[&str] = &["form"];

/// Every route of ours, and some of the relay's.
pub const ROUTES: &[Route] = &[
    ("chat", "POST", "/v1/chat/completions", CHATS),
    ("chat of", "POST", "/c/{c}/v1/chat/completions", CHATS),
    ("responses", "POST", "/v1/responses", RESPONSES),
    ("responses of", "POST", "/c/{c}/v1/responses", RESPONSES),
    ("preview", "POST", "/v1/rag/preview", CHATS),
    ("preview of", "POST", "/c/{c}/v1/rag/preview", CHATS),
    ("trace", "GET", "/v1/rag/traces/{t}", NO_BODY),
    ("embeddings", "POST", "/v1/embeddings", &[r#"{"model":"test-model","input":"{q}"}"#]),
    ("embeddings of", "POST", "/c/{c}/v1/embeddings", &[r#"{"model":"test-model","input":"{q}"}"#]),
    ("models", "GET", "/v1/models", NO_BODY),
    ("files", "GET", "/v1/files{page of files}", NO_BODY),
    ("upload", "POST", "/v1/files", FORM),
    ("file", "GET", "/v1/files/{f}", NO_BODY),
    ("file's content", "GET", "/v1/files/{f}/content", NO_BODY),
    ("deletion of a file", "DELETE", "/v1/files/{f not own}", NO_BODY),
    ("stores", "GET", "/v1/vector_stores{page of stores}", NO_BODY),
    (
        "creation",
        "POST",
        "/v1/vector_stores",
        &[r#"{"file_ids":["{f}"]}"#, r#"{"name":"new","file_ids":["{f}","{f not own}"]}"#],
    ),
    ("store", "GET", "/v1/vector_stores/{c}", NO_BODY),
    ("change of a store", "POST", "/v1/vector_stores/{c busy}", &[r#"{"metadata":{"a":"b"}}"#]),
    ("deletion of a store", "DELETE", "/v1/vector_stores/{c not own}", NO_BODY),
    ("search", "POST", "/v1/vector_stores/{c}/search", SEARCHES),
    ("store's files", "GET", "/v1/vector_stores/{c}/files{page of files}", NO_BODY),
    ("attachment", "POST", "/v1/vector_stores/{c busy}/files", ATTACH),
    ("store's file", "GET", "/v1/vector_stores/{c}/files/{f}", NO_BODY),
    (
        "change of attributes",
        "POST",
        "/v1/vector_stores/{c busy}/files/{f}",
        &[r#"{"attributes":{"team":"red"}}"#],
    ),
    ("detachment", "DELETE", "/v1/vector_stores/{c}/files/{f not own}", NO_BODY),
    ("text", "GET", "/v1/vector_stores/{c}/files/{f}/content", NO_BODY),
    ("batch", "POST", "/v1/vector_stores/{c busy}/file_batches", BATCHES),
    ("batch's state", "GET", "/v1/vector_stores/{c}/file_batches/{b}", NO_BODY),
    ("cancellation", "POST", "/v1/vector_stores/{c}/file_batches/{b}/cancel", NO_BODY),
    ("batch's files", "GET", "/v1/vector_stores/{c}/file_batches/{b}/files{page of files}", NO_BODY),
    ("documents", "GET", "/v1/vector_stores/{c}/documents", NO_BODY),
    ("upload of a document", "POST", "/v1/vector_stores/{c busy}/documents", FORM),
    ("document", "GET", "/v1/vector_stores/{c}/documents/{d}", NO_BODY),
    ("deletion of a document", "DELETE", "/v1/vector_stores/{c}/documents/{d not own}", NO_BODY),
    ("stores of", "GET", "/c/{c}/v1/vector_stores{page of stores}", NO_BODY),
    ("store of", "GET", "/c/{c}/v1/vector_stores/{c}", NO_BODY),
    ("search of", "POST", "/c/{c}/v1/vector_stores/{c}/search", SEARCHES),
    ("text of", "GET", "/c/{c own},{c}/v1/vector_stores/{c}/files/{f}/content", NO_BODY),
    ("files of", "GET", "/c/{c}/v1/files{page of files}", NO_BODY),
    ("models of", "GET", "/c/{c}/v1/models", NO_BODY),
    ("model", "GET", "/v1/models/test-model@{c}", NO_BODY),
    ("model of", "GET", "/c/{c}/v1/models/test-model@{c}", NO_BODY),
    ("keys", "GET", "/admin/keys", NO_BODY),
    ("making a key", "POST", "/admin/keys", &[r#"{"name":"own","scopes":["admin"],"collections":["{c}"]}"#]),
    ("revoking", "DELETE", "/admin/keys/{k}", NO_BODY),
    ("granting", "POST", "/admin/keys/{k}/grants", &[r#"{"collections":["{c}"]}"#]),
    ("relay", "POST", "/v1/completions", &[r#"{"prompt":"{q}"}"#]),
    ("relay of", "GET", "/c/{c}/v1/things", NO_BODY),
    ("description", "GET", "/openapi.json", NO_BODY),
    ("health", "GET", "/health", NO_BODY),
    ("ready", "GET", "/ready", NO_BODY),
    ("nothing", "GET", "/v1/vector_stores/{c}/nothing/{f}", NO_BODY),
];

/// What a tenant is always refused, or never has of its own here.
pub const NEVER_WELL: &[&str] = &[
    "deletion of a file",
    "deletion of a store",
    "detachment",
    "cancellation",
    "deletion of a document",
    "keys",
    "making a key",
    "revoking",
    "granting",
    "nothing",
];

/// What times are compared of.
pub const TIMED: &[(&str, &str)] = &[
    ("GET a store by id", "/v1/vector_stores/{c other's id}"),
    ("GET a store by name", "/v1/vector_stores/{c other's name}"),
    ("GET a file", "/v1/files/{f other's}"),
    ("GET a trace", "/v1/rag/traces/{t other's}"),
];

/// Headers that go along now and then.
const HEADERS: &[(&str, &str)] = &[
    ("X-RAG-Collection", "{c}"),
    ("X-RAG-Collection", "{c own},{c}"),
    ("X-RAG-Document", "{d}"),
    ("X-RAG-K", "3"),
    ("X-RAG-Citations", "annotations"),
    ("X-RAG", "off"),
];

/// A request, and the same one with nobody's ids where others' stand.
#[derive(Debug)]
pub struct Case {
    pub route: &'static str,
    method: &'static str,
    key: String,
    /// Target, headers and body, with others' words and with nobody's.
    foreign: Parts,
    guessed: Parts,
    words: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Case {
    pub fn random(asker: &Tenant, others: &[&Tenant], rng: &mut Rng) -> Self {
        let (route, method, target, bodies) = ROUTES[rng.usize(..ROUTES.len())];
        // What makes documents starts a process for each: now and then is enough.
        let makes = matches!(route, "upload" | "upload of a document" | "attachment" | "batch" | "creation");
        let reads = makes && rng.u8(..100) < 85;
        let key = if reads || rng.u8(..4) == 0 { &asker.reader } else { &asker.key };
        let mut filler = Filler { asker, other: others[rng.usize(..others.len())], rng, words: Vec::new() };
        let mut headers = Vec::new();
        // What is made has an id of its own: only what refuses it is compared.
        if !makes && filler.rng.u8(..3) == 0 {
            let (name, value) = HEADERS[filler.rng.usize(..HEADERS.len())];
            headers.push((name, filler.fill(value)));
        }
        let target = filler.fill(target);
        let body = bodies[filler.rng.usize(..bodies.len())];
        let body = filler.fill(body);
        Self::filled(route, method, key, (target, headers, body), filler.words)
    }

    /// One with others' words alone.
    pub fn of(target: &'static str, asker: &Tenant, others: &[&Tenant], rng: &mut Rng) -> Self {
        let mut filler = Filler { asker, other: others[0], rng, words: Vec::new() };
        let target = filler.fill(target);
        Self::filled("timed", "GET", &asker.key, (target, Vec::new(), Default::default()), filler.words)
    }

    fn filled(
        route: &'static str,
        method: &'static str,
        key: &str,
        (target, headers, body): (Pair, Vec<(&'static str, Pair)>, Pair),
        words: Vec<(String, String)>,
    ) -> Self {
        let side = |pick: fn(&Pair) -> &String| Parts {
            target: pick(&target).clone(),
            headers: headers.iter().map(|(name, value)| (*name, pick(value).clone())).collect(),
            body: pick(&body).clone(),
        };
        let (foreign, guessed) = (side(|pair| &pair.0), side(|pair| &pair.1));
        Self { route, method, key: key.to_owned(), foreign, guessed, words }
    }

    pub fn names_others(&self) -> bool {
        self.words.iter().any(|(theirs, nobodys)| theirs != nobodys)
    }

    pub fn request(&self) -> Request {
        self.with(&self.foreign)
    }

    /// The same with nobody's ids, if there are others'.
    pub fn twin_request(&self) -> Option<Request> {
        self.names_others().then(|| self.with(&self.guessed))
    }

    fn with(&self, parts: &Parts) -> Request {
        let request = match parts.body.as_str() {
            "form" => {
                form(&parts.target, &[("file", "note.txt", b"A note."), ("purpose", "", b"assistants")])
            }
            "" => Request::new(self.method, &parts.target),
            body => Request::new(self.method, &parts.target).json(body),
        };
        let request = request.key(&self.key);
        parts.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// A text without what the request itself named of others and of nobody: an answer may say it back.
    pub fn without_its_own_words(&self, text: &str) -> String {
        let words = self.words.iter().filter(|(theirs, nobodys)| theirs != nobodys);
        words.fold(text.to_owned(), |text, (theirs, nobodys)| {
            text.replace(theirs.as_str(), "[word]").replace(nobodys.as_str(), "[word]")
        })
    }
}

/// A text with others' words, and the same with nobody's.
type Pair = (String, String);

struct Filler<'a> {
    asker: &'a Tenant,
    other: &'a Tenant,
    rng: &'a mut Rng,
    words: Vec<Pair>,
}

impl Filler<'_> {
    fn fill(&mut self, template: &str) -> Pair {
        let (mut theirs, mut nobodys) = (String::new(), String::new());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            theirs.push_str(before);
            nobodys.push_str(before);
            // Braces of JSON are no places to fill.
            let place = after.split_once('}').map(|(place, _)| place);
            let pair = place.and_then(|place| Some((place, self.place(place)?)));
            match pair {
                Some((place, (foreign, guessed))) => {
                    theirs.push_str(&foreign);
                    nobodys.push_str(&guessed);
                    rest = &after[place.len() + 1..];
                }
                None => {
                    theirs.push('{');
                    nobodys.push('{');
                    rest = after;
                }
            }
        }
        (theirs + rest, nobodys + rest)
    }

    fn place(&mut self, place: &str) -> Option<Pair> {
        let (kind, whose) = place.split_once(' ').unwrap_or((place, ""));
        if kind == "q" {
            let question = format!("{} which code has the lamp?", self.asker.marker());
            return Some((question.clone(), question));
        }
        if kind == "page" {
            let cursor = if whose == "of files" { "{f}" } else { "{c}" };
            let queries =
                ["", "?limit=2", "?order=asc&limit=1", "?after=", "?before=", "?limit=100&order=asc&after="];
            let query = queries[self.rng.usize(..queries.len())];
            return Some(if query.ends_with('=') {
                self.fill(&format!("{query}{cursor}"))
            } else {
                (query.into(), query.into())
            });
        }
        let words = |tenant: &Tenant| -> Option<Vec<String>> {
            Some(match (kind, whose) {
                ("c", "busy") => vec![tenant.collections[1].clone(), tenant.collection_names[1].clone()],
                ("c", "other's id") => tenant.collections.clone(),
                ("c", "other's name") => tenant.collection_names.clone(),
                ("c", _) => [tenant.collections.as_slice(), &tenant.collection_names].concat(),
                ("f", _) => tenant.files.clone(),
                ("d", _) => [tenant.files.as_slice(), &tenant.file_names].concat(),
                ("b", _) => tenant.batches.clone(),
                ("t", _) => tenant.traces.clone(),
                ("k", _) => tenant.key_ids.clone(),
                _ => return None,
            })
        };
        let own = match whose {
            "own" => true,
            "not own" | "other's" | "other's id" | "other's name" => false,
            _ => self.rng.u8(..100) < 45,
        };
        let of = words(if own { self.asker } else { self.other })?;
        let word = of[self.rng.usize(..of.len())].clone();
        if own {
            return Some((word.clone(), word));
        }
        let guessed = self.guess(&word);
        // Sometimes both are nobody's, as a control.
        let theirs = if whose.is_empty() && self.rng.u8(..10) == 0 { self.guess(&word) } else { word };
        self.words.push((theirs.clone(), guessed.clone()));
        Some((theirs, guessed))
    }

    /// Of the same form and length, and nobody's.
    fn guess(&mut self, word: &str) -> String {
        let prefix =
            ["vs_", "file-", "vsfb_", "trace_", "key_"].into_iter().find(|prefix| word.starts_with(prefix));
        match prefix {
            Some(prefix) => {
                let digits = (prefix.len()..word.len()).map(|_| self.rng.digit(16)).collect::<String>();
                format!("{prefix}{digits}")
            }
            None => {
                let (name, rest) = word.split_once('-').unwrap_or((word, ""));
                let letters: String = name.chars().map(|_| self.rng.lowercase()).collect();
                format!("{letters}-{rest}")
            }
        }
    }
}
