//! lastro as its clients meet it: a server in this process between a raw client and a scripted LLM server.
//!
//! [`world`] is where every test begins; each other file holds one behaviour.

mod documents;
mod endings;
mod folders;
mod grounding;
mod imports;
mod models;
mod prompts;
mod refusals;
mod relay;
mod requests;
mod restarts;
mod selection;
mod uploads;
mod windows;
mod world;
