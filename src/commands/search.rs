//! `lastro search`: the passages themselves.

use serde_json::json;

use super::CommandError;
use super::connection::{Connection, checked, segment};
use super::output::{self, say};
use crate::config::Config;
use crate::openai::SearchPage;

/// Characters shown of a passage.
const SHOWN: usize = 300;

/// Prints the best passages of a collection.
pub async fn search(config: Config, collection: &str, query: &str, limit: usize) -> Result<(), CommandError> {
    let connection = Connection::open(config).await?;
    connection.until_ready().await?;
    let url = connection.url(&format!("/v1/vector_stores/{}/search?include=place", segment(collection)));
    let body = json!({ "query": query, "max_num_results": limit });
    let response = checked(connection.client.post(url).json(&body).send().await?).await?;
    let lexical = response.headers().get("x-rag-status").is_some_and(|s| s == "lexical");
    let page: SearchPage = response.json().await?;
    if page.data.is_empty() {
        say!("Nothing found.")?;
    }
    for (number, hit) in (1..).zip(&page.data) {
        let place = hit.place.as_ref();
        let page = place.and_then(|place| place.page).map(|p| format!(", page {p}")).unwrap_or_default();
        say!("[{number}] {}{page}  (score {:.2})", hit.filename, hit.score)?;
        if let Some(place) = place.filter(|place| !place.headings.is_empty()) {
            say!("    {}", place.headings.join(" > "))?;
        }
        let text: String = hit.content.iter().map(|c| c.text.as_str()).collect();
        let mut shown: String = crate::words::one_line(&text);
        if let Some((cut, _)) = shown.char_indices().nth(SHOWN) {
            shown.truncate(cut);
            shown.push('…');
        }
        say!("    {shown}\n")?;
    }
    if lexical {
        output::remark(format_args!("(by words alone: no embedding model is loaded)"));
    }
    Ok(())
}
