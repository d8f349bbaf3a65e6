//! A tenant with everything that one can have, all of it marked.

use fastrand::Rng;
use serde_json::{Value, json};

use super::super::world::{Reply, Request, World, form, question_body};

/// A tenant. Whatever is called or contains its `canary` is its own, and so are its ids.
pub struct Tenant {
    pub name: &'static str,
    /// May ask, relay and change.
    pub key: String,
    /// May ask alone.
    pub reader: String,
    pub key_ids: Vec<String>,
    /// In the names of collections, files and attributes.
    canary: String,
    /// In the text of documents.
    pub text_canary: String,
    pub collections: Vec<String>,
    pub collection_names: Vec<String>,
    pub files: Vec<String>,
    pub file_names: Vec<String>,
    pub batches: Vec<String>,
    pub traces: Vec<String>,
    /// A collection that nobody changes, its list of files and the file alone, as they were at first.
    pub at_first: Vec<Value>,
}

fn word(rng: &mut Rng) -> String {
    (0..10).map(|_| rng.lowercase()).collect()
}

impl Tenant {
    pub async fn settle(world: &World, name: &'static str, rng: &mut Rng) -> Self {
        let (key_id, key) = world.key(json!({ "name": name, "scopes": ["chat", "relay", "ingest"] })).await;
        let (canary, text_canary) = (format!("{name}{}", word(rng)), format!("text{}", word(rng)));
        let mut tenant = Self {
            name,
            key,
            reader: String::new(),
            key_ids: vec![key_id],
            canary,
            text_canary,
            collections: Vec::new(),
            collection_names: Vec::new(),
            files: Vec::new(),
            file_names: Vec::new(),
            batches: Vec::new(),
            traces: Vec::new(),
            at_first: Vec::new(),
        };
        tenant.furnish(world).await;
        let wanted = json!({ "name": format!("{name}, reading"), "collections": tenant.collections,
            "default_collection": tenant.collections[1] });
        let (reader_id, reader) = world.key(wanted).await;
        tenant.key_ids.push(reader_id);
        tenant.reader = reader;
        tenant.at_first = tenant.quiet(world).await;
        tenant
    }

    async fn furnish(&mut self, world: &World) {
        for kind in ["quiet", "busy", "batch"] {
            let body = json!({ "name": format!("{}-{kind}", self.canary), "description": self.canary,
                "metadata": { "mine": self.canary } });
            let made = self.post(world, "/v1/vector_stores", body).await;
            self.collections.push(id(&made));
            self.collection_names.push(text(&made["name"]));
        }
        for (n, what) in ["valve", "lamp", "boat", "alone"].iter().enumerate() {
            let filename = format!("{}-{what}.txt", self.canary);
            let content = format!("The {what} has the code {}. It is closed at noon.", self.text_canary);
            let upload =
                form("/v1/files", &[("file", &filename, content.as_bytes()), ("purpose", "", b"assistants")]);
            let file = id(&self.well(world, upload.key(&self.key)).await.json());
            if n < 2 {
                let body = json!({ "file_id": file, "attributes": { "team": "red", "mine": self.canary } });
                self.post(world, &format!("/v1/vector_stores/{}/files", self.collections[n]), body).await;
            }
            self.files.push(file);
            self.file_names.push(filename);
        }
        let body = json!({ "file_ids": [self.files[1], self.files[2]] });
        let batch =
            self.post(world, &format!("/v1/vector_stores/{}/file_batches", self.collections[2]), body).await;
        self.batches.push(id(&batch));
        for collection in self.collections.clone() {
            super::super::world::eventually(|| async {
                let request = Request::new("GET", &format!("/v1/vector_stores/{collection}")).key(&self.key);
                (self.well(world, request).await.json()["status"] == "completed").then_some(())
            })
            .await;
        }
        let chat =
            Request::new("POST", "/v1/chat/completions").json(question_body("Which code has the lamp?"));
        let chat = chat.header("X-RAG-Collection", &self.collections[1]).key(&self.key);
        let reply = self.well(world, chat).await;
        assert_eq!(reply.header("x-rag-status"), Some("hit"));
        self.traces.push(reply.header("x-rag-trace-id").expect("a trace").to_owned());
    }

    async fn well(&self, world: &World, request: Request) -> Reply {
        let reply = world.ask(request).await;
        assert_eq!(reply.status, 200, "{}: {}", self.name, reply.text());
        reply
    }

    async fn post(&self, world: &World, target: &str, body: Value) -> Value {
        let request = Request::new("POST", target).json(body.to_string()).key(&self.key);
        self.well(world, request).await.json()
    }

    /// What nobody changes, as this tenant sees it: counts, bytes and all.
    pub async fn quiet(&self, world: &World) -> Vec<Value> {
        let store = format!("/v1/vector_stores/{}", self.collections[0]);
        let mut seen = Vec::new();
        for target in [store.clone(), format!("{store}/files"), format!("/v1/files/{}", self.files[3])] {
            let mut object = self.well(world, Request::new("GET", &target).key(&self.key)).await.json();
            // Looking at it is a use.
            object.as_object_mut().expect("an object").remove("last_active_at");
            seen.push(object);
        }
        seen
    }

    /// Holds that nothing of it was removed.
    pub async fn has_everything(&self, world: &World) {
        let collections = self.collections.iter().map(|id| format!("vector_stores/{id}"));
        let files = self.files.iter().map(|id| format!("files/{id}"));
        let batch = format!("vector_stores/{}/file_batches/{}", self.collections[2], self.batches[0]);
        for target in collections.chain(files).chain([batch]) {
            self.well(world, Request::new("GET", &format!("/v1/{target}")).key(&self.key)).await;
        }
        for key in [&self.key, &self.reader] {
            self.well(world, Request::new("GET", "/v1/models").key(key)).await;
        }
    }

    /// Part of every question, so that a prompt tells whose it is. No secret.
    pub fn marker(&self) -> String {
        format!("asked by {}:", self.name)
    }

    /// What must never be told to others.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        let ids = [&self.collections, &self.files, &self.batches, &self.traces, &self.key_ids];
        [&self.canary, &self.text_canary].into_iter().chain(ids.into_iter().flatten())
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn id(object: &Value) -> String {
    text(&object["id"])
}
