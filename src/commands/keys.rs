//! `lastro keys`: made, shown, revoked and granted more, effective at once in a server that runs.

use clap::{Args, Subcommand};

use super::CommandError;
use super::connection::{Connection, checked, segment};
use super::output::{self, say};
use crate::access::Secret;
use crate::config::Config;
use crate::openai::{CreateKey, GrantKey, KeyLimits, KeyObject, List};

/// What is to be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key, and print it this once
    Create(Create),
    /// Print a key for the setting `keys`, which no server knows before it is there
    Generate,
    /// Show all keys that were ever made, without their secrets
    List,
    /// Refuse a key from now on
    Revoke { id_or_name: String },
    /// Let a key see more collections
    Grant {
        id_or_name: String,
        /// Ids or names of the collections
        #[arg(required = true, value_name = "COLLECTION")]
        granted: Vec<String>,
    },
}

/// A key to be made.
#[derive(Debug, Args)]
pub struct Create {
    /// What the key is called here
    name: String,
    /// What it is for, of chat, relay, ingest, metrics and admin [default: chat]
    #[arg(long, value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// For everything, keys too
    #[arg(long, conflicts_with = "scopes")]
    admin: bool,
    /// Id or name of a collection that it sees, besides those that it makes; several with commas or one by one
    #[arg(long, value_delimiter = ',')]
    collection: Vec<String>,
    /// It sees all collections, those of the future too
    #[arg(long, conflicts_with = "collection")]
    all_collections: bool,
    /// Collection for its chats that name none; it sees it
    #[arg(long)]
    default: Option<String>,
    /// Most requests in a minute
    #[arg(long)]
    requests_per_minute: Option<u32>,
    /// Most requests answered at a time
    #[arg(long)]
    streams: Option<u32>,
    /// Most documents that it may hold
    #[arg(long)]
    max_documents: Option<u64>,
    /// Most MiB of files that it may hold
    #[arg(long)]
    max_mib: Option<u32>,
    /// Most chunks of text that its documents may come to
    #[arg(long)]
    max_chunks: Option<u64>,
    /// Days after which it is refused
    #[arg(long)]
    expires_days: Option<u32>,
}

impl From<Create> for CreateKey {
    fn from(asked: Create) -> Self {
        Self {
            name: asked.name,
            scopes: if asked.admin { Some(vec!["admin".to_owned()]) } else { asked.scopes },
            all_collections: asked.all_collections,
            collections: asked.collection,
            default_collection: asked.default,
            expires_days: asked.expires_days,
            limits: KeyLimits {
                requests_per_minute: asked.requests_per_minute,
                streams: asked.streams,
                max_documents: asked.max_documents,
                max_bytes: asked.max_mib.map(|mib| u64::from(mib) << 20),
                max_chunks: asked.max_chunks,
            },
        }
    }
}

/// Does what is to be done with keys, and prints what came of it.
pub async fn keys(config: Config, command: KeysCommand) -> Result<(), CommandError> {
    match command {
        KeysCommand::Generate => generate(),
        KeysCommand::Create(asked) => Keys::open(config).await?.create(asked).await,
        KeysCommand::List => Keys::open(config).await?.list().await,
        KeysCommand::Revoke { id_or_name } => Keys::open(config).await?.revoke(&id_or_name).await,
        KeysCommand::Grant { id_or_name, granted } => {
            Keys::open(config).await?.grant(&id_or_name, granted).await
        }
    }
}

/// Needs no server.
fn generate() -> Result<(), CommandError> {
    let secret = Secret::new().map_err(|error| CommandError::Usage(format!("no random bytes: {error}")))?;
    say!("{}", secret.reveal())
}

/// The keys of a server.
struct Keys(Connection);

impl Keys {
    async fn open(config: Config) -> Result<Self, CommandError> {
        Ok(Self(Connection::open(config).await?))
    }

    fn all(&self) -> String {
        self.0.url("/admin/keys")
    }

    fn one(&self, id_or_name: &str) -> String {
        format!("{}/{}", self.all(), segment(id_or_name))
    }

    async fn create(&self, asked: Create) -> Result<(), CommandError> {
        let request = self.0.client.post(self.all()).json(&CreateKey::from(asked));
        let made: KeyObject = checked(request.send().await?).await?.json().await?;
        // The key alone on the output, for scripts.
        output::read_or_not(say!("{}", made.secret.as_deref().unwrap_or_default()))?;
        output::remark(format_args!("{}", described(&made)));
        output::remark(format_args!(
            "The key is shown this once: keep it. Without a key the server now answers nobody."
        ));
        Ok(())
    }

    async fn list(&self) -> Result<(), CommandError> {
        let response = self.0.client.get(self.all()).send().await?;
        let list: List<KeyObject> = checked(response).await?.json().await?;
        if list.data.is_empty() {
            say!("There are no keys: whoever reaches the server may do everything.")?;
        }
        list.data.iter().try_for_each(|key| say!("{}", described(key)))
    }

    async fn revoke(&self, id_or_name: &str) -> Result<(), CommandError> {
        checked(self.0.client.delete(self.one(id_or_name)).send().await?).await?;
        say!("{id_or_name} is refused from now on.")
    }

    async fn grant(&self, id_or_name: &str, collections: Vec<String>) -> Result<(), CommandError> {
        let url = format!("{}/grants", self.one(id_or_name));
        let request = self.0.client.post(url).json(&GrantKey { collections });
        let key: KeyObject = checked(request.send().await?).await?.json().await?;
        say!("{}", described(&key))
    }
}

/// One line.
fn described(key: &KeyObject) -> String {
    let sees = match (key.all_collections || key.scopes.iter().any(|s| s == "admin"), &key.collections) {
        (true, _) => "all collections".to_owned(),
        (false, granted) if granted.is_empty() => "no collections".to_owned(),
        (false, granted) => granted.join(","),
    };
    let limits = &key.limits;
    let numbers = [
        ("requests a minute", limits.requests_per_minute.map(u64::from)),
        ("at a time", limits.streams.map(u64::from)),
        ("documents", limits.max_documents),
        ("MiB", limits.max_bytes.map(|bytes| bytes >> 20)),
        ("chunks", limits.max_chunks),
    ];
    let numbers = numbers.iter().filter_map(|(what, most)| Some(format!("  at most {} {what}", (*most)?)));
    let default = key.default_collection.iter().map(|id| format!("  default {id}"));
    let more: String = default.chain(numbers).collect();
    format!("{}  {:8}  {}  {}  {sees}{more}", key.id, key.status, key.name, key.scopes.join(","))
}
