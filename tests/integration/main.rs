//! lastro as its clients meet it: a server in this process between a raw client and a scripted LLM server.
//!
//! [`world`] is where every test begins; each other file holds one behaviour.

mod bodies;
mod citations;
mod connections;
mod disconnects;
mod doctor;
mod documents;
mod draining;
mod embeddings;
mod endings;
mod fields;
mod file_search;
mod filters;
mod folders;
mod followups;
mod grounding;
mod imports;
mod interim;
mod keys;
mod limits;
mod logs;
mod metrics;
mod models;
mod openapi;
mod pressure;
mod prompts;
mod refusals;
mod relay;
mod request_ids;
mod requests;
mod responses;
mod restarts;
mod retries;
mod routes;
mod selection;
mod smuggling;
mod spans;
mod streams;
mod tenants;
mod timeouts;
mod upgrades;
mod uploads;
mod windows;
mod world;
