//! The few names under which requests are counted.

use http::Method;

macro_rules! routes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $template:literal;)*) => {
        /// What a request is about. Every path and method has one, so that strangers cannot add names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Route {
            $($(#[$doc])* $variant,)*
        }

        impl Route {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As in a metric's label.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The common part of its paths.
            pub fn template(self) -> &'static str {
                match self { $(Self::$variant => $template,)* }
            }
        }
    };
}

routes! {
    Chat "chat" "/v1/chat/completions";
    Responses "responses" "/v1/responses";
    Preview "preview" "/v1/rag/preview";
    Search "search" "/v1/vector_stores/{collection}/search";
    Embeddings "embeddings" "/v1/embeddings";
    Models "models" "/v1/models";
    Files "files" "/v1/files";
    VectorStores "vector_stores" "/v1/vector_stores";
    /// Documents in a collection, by our own call and as OpenAI's files of vector stores and their batches.
    Documents "documents" "/v1/vector_stores/{collection}/documents";
    Traces "traces" "/v1/rag/traces";
    Keys "keys" "/admin/keys";
    /// Passed to the LLM server.
    Relay "relay" "/v1/{*rest}";
    Health "health" "/health";
    Metrics "metrics" "/metrics";
    Other "other" "/{*rest}";
}

impl Route {
    /// Of a request, by its path.
    pub fn of(method: &Method, path: &str) -> Self {
        let path = match path.strip_prefix("/c/").and_then(|below| below.split_once('/')) {
            Some((_collection, below)) if below.starts_with("v1/") => below,
            _ => path.trim_start_matches('/'),
        };
        // What is absent is empty, and so is what stands after a slash at the end.
        let mut parts = [""; 5];
        parts.iter_mut().zip(path.split('/')).for_each(|(part, said)| *part = said);
        match parts {
            ["v1", "chat", "completions", "", _] if method == Method::POST => Self::Chat,
            ["v1", "responses", "", ..] if method == Method::POST => Self::Responses,
            ["v1", "rag", "preview", ..] => Self::Preview,
            ["v1", "rag", "traces", ..] => Self::Traces,
            ["v1", "embeddings", "", ..] => Self::Embeddings,
            ["v1", "models", "", ..] => Self::Models,
            ["v1", "models", ..] if method == Method::GET => Self::Models,
            ["v1", "files", ..] => Self::Files,
            ["v1", "vector_stores", _, "search", ..] => Self::Search,
            ["v1", "vector_stores", _, "", ..] => Self::VectorStores,
            ["v1", "vector_stores", ..] => Self::Documents,
            ["v1", ..] => Self::Relay,
            ["admin", ..] => Self::Keys,
            ["health" | "ready", ..] => Self::Health,
            ["metrics", ..] => Self::Metrics,
            _ => Self::Other,
        }
    }

    /// Whether it asks a model, and a first token is waited for.
    pub fn asks_a_model(self) -> bool {
        matches!(self, Self::Chat | Self::Responses)
    }

    /// Whether machines ask for it every few seconds: worth neither a line of the log nor a span.
    pub fn is_a_probe(self) -> bool {
        matches!(self, Self::Health | Self::Metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_counted_under_a_name() {
        for (method, path, route) in [
            ("POST", "/v1/chat/completions", Route::Chat),
            ("POST", "/c/handbook/v1/chat/completions", Route::Chat),
            ("GET", "/v1/chat/completions", Route::Relay),
            ("GET", "/v1/responses/resp_1", Route::Relay),
            ("POST", "/c/a%2Fb/v1/responses", Route::Responses),
            ("POST", "/v1/rag/preview", Route::Preview),
            ("GET", "/v1/rag/traces/trace_1", Route::Traces),
            ("POST", "/v1/vector_stores/x/search", Route::Search),
            ("DELETE", "/v1/vector_stores/x", Route::VectorStores),
            ("POST", "/v1/vector_stores/x/documents", Route::Documents),
            ("GET", "/v1/vector_stores/x/file_batches/y/files", Route::Documents),
            ("GET", "/v1/files/x/content", Route::Files),
            ("GET", "/v1/models/a/b@c", Route::Models),
            ("DELETE", "/v1/models/a", Route::Relay),
            ("POST", "/v1/audio/speech", Route::Relay),
            ("GET", "/ready", Route::Health),
            ("GET", "/metrics", Route::Metrics),
            ("POST", "/admin/keys/x/grants", Route::Keys),
            ("GET", "/", Route::Other),
            ("GET", "/c/x", Route::Other),
            ("GET", "", Route::Other),
            ("GET", "//v1", Route::Relay),
        ] {
            let method: Method = method.parse().expect("a method");
            assert_eq!(Route::of(&method, path), route, "{method} {path}");
        }
        for (number, route) in Route::ALL.iter().enumerate() {
            assert_eq!(*route as usize, number);
        }
    }
}
