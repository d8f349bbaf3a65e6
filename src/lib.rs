//! lastro: an OpenAI-compatible server that grounds streamed answers in your documents.
//!
//! # Three sentences
//! 1. Requests that we do not understand go upstream untouched, and upstream's bytes come back untouched.
//! 2. The store is the truth; every index is derived from it and may be deleted.
//! 3. [`rag`] is the product's story, in one short file.
//!
//! # The map
//! One chat, left to right:
//! `Bytes -> ChatRequest -> (Access, Selection, Query) -> two rankings -> passages -> bytes with spans replaced -> upstream -> body`.
//! One upload: `multipart -> blob on disk -> committed job -> child reads -> chunks and outline -> vectors -> store -> indexes`.
//!
//! | room | what it is | it uses |
//! |---|---|---|
//! | [`commands`] | `serve`; `ingest`, `ask`, `search`, `keys`: clients of a server; `doctor`, `healthcheck`, `settings`; `eval`, `calibrate` | [`app`], [`server`], [`evaluation`] |
//! | [`server`] | the listening side: connections, limits, what every request passes, the end | [`api`] |
//! | [`api`] | routes and handlers; errors to status and body | everything below |
//! | [`app`] | the components, opened and joined | everything below |
//! | [`evaluation`] | datasets, measures, reports: how well questions find what they should | [`app`] and below, but for [`api`] |
//! | [`config`] | flags, variables, `lastro.toml`; a part for each component | the components' settings |
//! | [`rag`] | select, search, weave | [`selection`], [`collection`], [`prompt`], [`store`], [`trace`] |
//! | [`selection`] | which collections and documents: ordered rules | [`collection`], [`openai`] |
//! | [`trace`] | what was found for an answer, kept for a while | [`prompt`] |
//! | [`citation`] | what an answer says of its sources: header, comment, annotations | [`openai`], [`prompt`] |
//! | [`prompt`] | passages into the text before the question, within a window | [`openai`] |
//! | [`ingest`] | jobs, what comes in, synced folders | [`reading`], [`chunking`], [`collection`], [`embed`] |
//! | [`collection`] | catalog, settings, hybrid search | [`store`], [`index`], [`embed`] |
//! | [`chunking`] | a document into chunks, an outline, a language | [`reading`], [`store`]'s records |
//! | [`relay`] | what passes between client and upstream: headers, bodies, changes of protocol | [`upstream`] |
//! | [`access`], [`openai`], [`upstream`], [`store`], [`embed`], [`index`], [`reading`], [`telemetry`] | leaves: they do not know one another | |
//! | [`reading`] | a file's bytes into text, in a child process with limits | |
//! | [`json`], [`net`], [`quota`], [`tasks`], [`words`], [`system`] | below all, and used by all: JSON as text, sockets and silences, how much may be stored, work beside the asynchronous threads, words and sentences, the time and random digits | |
//!
//! Imports run down this table and never up, and no two files use one another; `tests/integration/imports.rs` holds it.
//! `docs/ARCHITECTURE.md` tells the stories, and where to add things.
//!
//! # Words
//! A *catalog* of *collections* (OpenAI: vector stores). A *blob* is bytes by their SHA-256; a *file* points to one; a
//! *document* is a file in a collection. A *chunk* is a stored piece with its place; an *outline* a document's title,
//! opening and headings. A *hit* is a chunk with the scores that found it; a *passage* is text and source, ready to be
//! shown to a model. *Upstream* is the LLM server, with its *window*. A *trace* remembers what was found.
//!
//! # Promises
//! - Without our asking for more, the body that a client receives is the one that upstream sent, frame by frame.
//! - A client that leaves cancels upstream, and its place in the embedding queue.
//! - Nothing is sent upstream twice, save a request of which no byte was sent.
//! - An acknowledged upload survives `kill -9`; a deleted document never comes back; an index may lag and never lies.
//! - Every operation on a collection takes an [`access::Access`]; unknown and forbidden look the same.
//! - A key of ours is never sent upstream, logged or kept; once one was made, nobody gets in without.
//! - A grounded prompt stays within the model's window where the question alone would have.
//! - Document text enters the prompt between delimiters that it cannot forge, and holds no control token of a template.
//! - Files are parsed in a child process with limits; the server outlives any file.

pub mod access;
pub mod api;
pub mod app;
pub mod chunking;
pub mod citation;
pub mod collection;
pub mod commands;
pub mod config;
pub mod embed;
pub mod evaluation;
pub mod index;
pub mod ingest;
pub mod json;
pub mod net;
pub mod openai;
pub mod prompt;
pub mod quota;
pub mod rag;
pub mod reading;
pub mod relay;
pub mod selection;
pub mod server;
pub mod store;
pub mod system;
pub mod tasks;
pub mod telemetry;
pub mod trace;
pub mod upstream;
pub mod words;
