//! The `file_search` tool of a chat: what it says, and what to cut out so that upstream does not see it.

use std::ops::Range;

use serde_json::value::RawValue;

use super::file_search::FileSearch;
use super::request::RequestError;
use crate::json::{Entries, cuts, elements, is_text, span, without};

/// What goes with the last tool: LLM servers refuse these without tools.
const OF_TOOLS: [&str; 2] = ["tool_choice", "parallel_tool_calls"];

/// Results of a `file_search`, as the Responses API's `include` asks for them.
const RESULTS: &str = "file_search_call.results";

/// The tools of a request.
pub(super) struct ReadTools {
    /// Those that upstream will see.
    pub tools: Option<Tools>,
    pub file_search: Option<FileSearch>,
    /// What upstream will not see, in order; none touches another. Empty without the `file_search` tool.
    pub cuts: Vec<Range<usize>>,
}

/// JSON of tools.
#[derive(Debug)]
pub(super) enum Tools {
    AsSent(Range<usize>),
    Left(String),
}

/// Reads the `tools` of a request whose text and entries these are. What `file_search` has of its own in `include` is
/// cut out with it.
pub(super) fn read(
    text: &str,
    top: &Entries<'_>,
    tools: Option<&RawValue>,
) -> Result<ReadTools, RequestError> {
    let as_sent = tools.map(|tools| Tools::AsSent(span(text, tools)));
    let all_stay = ReadTools { tools: as_sent, file_search: None, cuts: Vec::new() };
    let Some((tools, list)) = tools.and_then(|tools| Some((tools, elements(tools)?))) else {
        return Ok(all_stay);
    };
    let mut found = (0..).zip(&list).filter(|(_, tool)| is_file_search(tool));
    let Some((number, tool)) = found.next() else { return Ok(all_stay) };
    if let Some((second, _)) = found.next() {
        let message = "there is a file_search tool before this one: name all vector_store_ids in one";
        return Err(RequestError::value(format!("tools[{second}]"), message));
    }
    let search = FileSearch::parse(tool).map_err(|error| error.within(&format!("tools[{number}]")))?;

    let is_alone = list.len() == 1;
    let mut inner = Vec::new();
    let goes: Vec<bool> = top
        .0
        .iter()
        .map(|(key, value)| match key.as_str() {
            "tools" if is_alone => true,
            "tools" => {
                inner.extend(list_cuts(text, value, &list));
                false
            }
            key if OF_TOOLS.contains(&key) && is_alone => true,
            "tool_choice" => chooses_only_file_search(text, value, &mut inner),
            "include" => includes_only_results(text, value, &mut inner),
            _ => false,
        })
        .collect();
    let all = members_cut(text, top, &goes, inner);
    let left = (!is_alone).then(|| Tools::Left(without(text, span(text, tools), &all)));
    Ok(ReadTools { tools: left, file_search: Some(search), cuts: all })
}

/// Whether a request of the Responses API asks for what a `file_search` found, and what to cut out of it for that.
pub(super) fn results(text: &str, top: &Entries<'_>) -> Option<Vec<Range<usize>>> {
    let mut inner = Vec::new();
    let goes: Vec<bool> = (top.0.iter())
        .map(|(key, value)| key == "include" && includes_only_results(text, value, &mut inner))
        .collect();
    let all = members_cut(text, top, &goes, inner);
    (!all.is_empty()).then_some(all)
}

/// Cuts for the members of the body that go, and for parts of others.
fn members_cut(text: &str, top: &Entries<'_>, goes: &[bool], inner: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let ends: Vec<usize> = top.0.iter().map(|(_, value)| span(text, value).end).collect();
    let inside = text.find('{').map_or(0, |at| at + 1);
    let mut all = cuts(text, inside, &ends, |n| goes[n]);
    all.extend(inner);
    all.sort_by_key(|cut| cut.start);
    all
}

/// Whether a tool is `file_search`, also where its `type` repeats: whichever of them upstream would go by.
pub(super) fn is_file_search(tool: &RawValue) -> bool {
    let Ok(entries) = serde_json::from_str::<Entries<'_>>(tool.get()) else { return false };
    entries.all("type").any(|kind| is_text(kind, "file_search"))
}

fn list_cuts(text: &str, list: &RawValue, elements: &[&RawValue]) -> Vec<Range<usize>> {
    let ends: Vec<usize> = elements.iter().map(|element| span(text, element).end).collect();
    cuts(text, span(text, list).start + 1, &ends, |n| is_file_search(elements[n]))
}

/// Whether the results are all that is to be included. Where there is more, they are cut out of it.
fn includes_only_results(text: &str, include: &RawValue, inner: &mut Vec<Range<usize>>) -> bool {
    let Some(list) = elements(include) else { return false };
    let only = !list.is_empty() && list.iter().all(|element| is_text(element, RESULTS));
    if !only {
        let ends: Vec<usize> = list.iter().map(|element| span(text, element).end).collect();
        inner.extend(cuts(text, span(text, include).start + 1, &ends, |n| is_text(list[n], RESULTS)));
    }
    only
}

/// Whether a choice of tools is of `file_search` alone. Where it allows others too, `file_search` is cut out of them.
fn chooses_only_file_search(text: &str, choice: &RawValue, inner: &mut Vec<Range<usize>>) -> bool {
    if is_file_search(choice) {
        return true;
    }
    let Ok(entries) = serde_json::from_str::<Entries<'_>>(choice.get()) else { return false };
    // `{"type":"allowed_tools","allowed_tools":{"mode":..,"tools":[..]}}`, or without the inner object.
    let nested: Vec<Entries<'_>> =
        entries.all("allowed_tools").filter_map(|allowed| serde_json::from_str(allowed.get()).ok()).collect();
    let lists = nested.iter().chain([&entries]).flat_map(|entries| entries.all("tools"));
    let mut only = false;
    for list in lists {
        let Some(allowed) = elements(list) else { continue };
        only |= !allowed.is_empty() && allowed.iter().all(|tool| is_file_search(tool));
        inner.extend(list_cuts(text, list, &allowed));
    }
    if only {
        // The whole choice goes.
        let whole = span(text, choice);
        inner.retain(|cut| !whole.contains(&cut.start));
    }
    only
}
