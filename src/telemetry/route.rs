//! The few names under which requests are counted.

macro_rules! routes {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
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
        }
    };
}

routes! {
    Chat "chat";
    Responses "responses";
    Preview "preview";
    Search "search";
    Embeddings "embeddings";
    Models "models";
    Files "files";
    VectorStores "vector_stores";
    /// Documents in a collection, by our own call and as OpenAI's files of vector stores and their batches.
    Documents "documents";
    Traces "traces";
    Keys "keys";
    /// Passed to the LLM server.
    Relay "relay";
    Health "health";
    Metrics "metrics";
    Other "other";
}

/// Where a request belongs.
#[derive(Clone, Copy, Debug)]
pub struct Matched {
    pub route: Route,
    /// The path of its route, with names for what varies.
    pub template: &'static str,
}

impl Route {
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
    fn names_have_their_place_in_the_list() {
        for (number, route) in Route::ALL.iter().enumerate() {
            assert_eq!(*route as usize, number);
        }
    }
}
