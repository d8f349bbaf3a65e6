//! `/v1/files` on the wire.

use serde::{Deserialize, Serialize};

use super::request::{Body, Fields, RequestError, Result, not_among, parse_value, whole, word};

/// Shortest and longest time that a file may be kept for, in seconds: an hour and thirty days.
const SECONDS: std::ops::RangeInclusive<u64> = 3_600..=2_592_000;
/// How long a file for a batch is kept where nothing is said.
const BATCH_SECONDS: u64 = 2_592_000;

/// What a file is for, also those that OpenAI makes itself: here whoever runs batches or trains beside the LLM server puts
/// them. Any of them can be attached to a vector store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    #[serde(rename = "assistants")]
    Assistants,
    #[serde(rename = "assistants_output")]
    AssistantsOutput,
    #[serde(rename = "batch")]
    Batch,
    #[serde(rename = "batch_output")]
    BatchOutput,
    #[serde(rename = "fine-tune")]
    FineTune,
    #[serde(rename = "fine-tune-results")]
    FineTuneResults,
    #[serde(rename = "vision")]
    Vision,
    #[serde(rename = "user_data")]
    UserData,
    #[serde(rename = "evals")]
    Evals,
}

impl Purpose {
    const ALL: [Self; 9] = [
        Self::Assistants,
        Self::AssistantsOutput,
        Self::Batch,
        Self::BatchOutput,
        Self::FineTune,
        Self::FineTuneResults,
        Self::Vision,
        Self::UserData,
        Self::Evals,
    ];

    /// As on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::AssistantsOutput => "assistants_output",
            Self::Batch => "batch",
            Self::BatchOutput => "batch_output",
            Self::FineTune => "fine-tune",
            Self::FineTuneResults => "fine-tune-results",
            Self::Vision => "vision",
            Self::UserData => "user_data",
            Self::Evals => "evals",
        }
    }

    /// The purpose of that name; the error is about the field `purpose`.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.name() == name);
        found.ok_or_else(|| not_among(name, "purpose", &Self::ALL.map(Self::name)))
    }
}

/// The fields beside the file itself of an upload's form.
#[derive(Clone, Debug, Default)]
pub struct FileFields {
    purpose: Option<String>,
    anchor: Option<String>,
    seconds: Option<String>,
    /// `expires_after` as one field of JSON, as forms of OpenAPI have it.
    expires_after: Option<String>,
}

/// What is asked for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileUpload {
    pub purpose: Purpose,
    /// Seconds after its creation that it is kept for.
    pub expires_seconds: Option<u64>,
}

struct ExpiresAfter(u64);

impl Body for ExpiresAfter {
    fn read(fields: &mut Fields) -> Result<Self> {
        fields
            .word("anchor", &["created_at"])?
            .ok_or_else(|| RequestError::missing(fields.path("anchor")))?;
        let seconds = fields.whole("seconds", SECONDS)?;
        seconds.map(Self).ok_or_else(|| RequestError::missing(fields.path("seconds")))
    }
}

impl FileFields {
    /// Takes a field of the form.
    pub fn set(&mut self, name: &str, value: String) -> Result<()> {
        let field = match name {
            "purpose" => &mut self.purpose,
            "expires_after[anchor]" => &mut self.anchor,
            "expires_after[seconds]" => &mut self.seconds,
            "expires_after" => &mut self.expires_after,
            other => {
                let message = "this field is not known here: use file, purpose, expires_after[anchor] or expires_after[seconds]";
                return Err(RequestError::unknown(other, message));
            }
        };
        match field.replace(value) {
            None => Ok(()),
            Some(_) => Err(RequestError::value(name, format!("'{name}' is given more than once"))),
        }
    }

    /// What they say together.
    pub fn finish(self) -> Result<FileUpload> {
        let purpose = self.purpose.ok_or_else(|| RequestError::missing("purpose"))?;
        let purpose = Purpose::parse(&purpose)?;
        let expires_seconds = match (self.expires_after, self.anchor, self.seconds) {
            (None, None, None) => (purpose == Purpose::Batch).then_some(BATCH_SECONDS),
            (Some(json), None, None) => {
                let value = serde_json::from_str(&json).map_err(|error| {
                    RequestError::value("expires_after", format!("'expires_after' is not JSON: {error}"))
                })?;
                let ExpiresAfter(seconds) = parse_value(value, "expires_after")?;
                Some(seconds)
            }
            (None, anchor, seconds) => {
                let anchor = anchor.ok_or_else(|| RequestError::missing("expires_after.anchor"))?;
                word(&anchor, "expires_after.anchor", &["created_at"])?;
                let seconds = seconds.ok_or_else(|| RequestError::missing("expires_after.seconds"))?;
                let number = serde_json::from_str(&seconds).unwrap_or(serde_json::Value::String(seconds));
                Some(whole(&number, "expires_after.seconds", SECONDS)?)
            }
            (Some(_), ..) => {
                return Err(RequestError::value("expires_after", "'expires_after' is given in two ways"));
            }
        };
        Ok(FileUpload { purpose, expires_seconds })
    }
}

/// OpenAI's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileObject {
    pub id: String,
    /// `file`.
    pub object: String,
    pub bytes: u64,
    /// Seconds since 1970.
    pub created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    pub filename: String,
    pub purpose: Purpose,
    /// `processed`, or `error` where it could not be read into any collection; OpenAI calls it deprecated and still
    /// requires it.
    pub status: String,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_details: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(fields: &[(&str, &str)]) -> Result<FileUpload> {
        let mut read = FileFields::default();
        for (name, value) in fields {
            read.set(name, (*value).to_owned())?;
        }
        read.finish()
    }

    #[test]
    fn forms_say_what_a_file_is_for_and_for_how_long() {
        for purpose in Purpose::ALL {
            let read = upload(&[("purpose", purpose.name())]).expect("a purpose");
            assert_eq!(read.purpose, purpose);
            assert_eq!(serde_json::to_value(purpose).expect("JSON"), purpose.name());
            assert_eq!(read.expires_seconds.is_some(), purpose == Purpose::Batch);
        }
        let form = [
            ("purpose", "batch"),
            ("expires_after[anchor]", "created_at"),
            ("expires_after[seconds]", "3600"),
        ];
        assert_eq!(upload(&form).expect("an expiry").expires_seconds, Some(3600));
        let json =
            [("purpose", "assistants"), ("expires_after", r#"{"anchor":"created_at","seconds":2592000}"#)];
        assert_eq!(upload(&json).expect("an expiry").expires_seconds, Some(2_592_000));
        let (purpose, anchor) = (("purpose", "assistants"), ("expires_after[anchor]", "created_at"));
        let seconds = |value| ("expires_after[seconds]", value);
        for (fields, param) in [
            (&[][..], "purpose"),
            (&[("purpose", "everything")], "purpose"),
            (&[("purpose", "assistants-output")], "purpose"),
            (&[purpose, purpose], "purpose"),
            (&[purpose, ("colour", "red")], "colour"),
            (&[purpose, anchor], "expires_after.seconds"),
            (&[purpose, seconds("3600")], "expires_after.anchor"),
            (
                &[purpose, ("expires_after[anchor]", "last_active_at"), seconds("3600")],
                "expires_after.anchor",
            ),
            (&[purpose, anchor, seconds("3599")], "expires_after.seconds"),
            (&[purpose, anchor, seconds("2592001")], "expires_after.seconds"),
            (&[purpose, anchor, seconds("soon")], "expires_after.seconds"),
            (&[purpose, ("expires_after", "{")], "expires_after"),
            (&[purpose, ("expires_after", r#"{"anchor":"created_at"}"#)], "expires_after.seconds"),
            (&[purpose, anchor, ("expires_after", "{}")], "expires_after"),
        ] {
            assert_eq!(upload(fields).expect_err("refused").param, param, "{fields:?}");
        }
    }
}
