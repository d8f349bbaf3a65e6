//! Which rows of a graph a filter admits, and how they are best searched.

use std::time::Instant;

use super::file::Base;
use crate::index::filter::Filter;
use crate::index::{IndexError, choice};

/// How the rows that a filter admits are searched.
pub(super) enum Way {
    /// By a walk, which passes through those that are not admitted.
    Walk,
    /// One by one: these are all that are admitted.
    Scan(Vec<u32>),
}

/// Rows that are looked at to guess the share that is admitted.
const SAMPLE: usize = 1024;
/// Documents between two looks at the clock.
const DOCUMENTS_PER_LOOK: usize = 4096;

/// The way to the rows that a filter admits.
pub(super) fn way(base: &Base, filter: &Filter, deadline: Instant) -> Result<Way, IndexError> {
    let rows = base.rows();
    let few = choice::scanned_at_most(rows);
    match filter {
        Filter::Everything => return Ok(Way::Walk),
        // As many documents as that may have few chunks; fewer are counted without a guess.
        Filter::Documents(documents) if documents.len() <= SAMPLE => {}
        _ => {
            let documents = base.documents();
            let sample = documents.iter().step_by((rows / SAMPLE).max(1));
            let (seen, admitted) = sample.fold((0, 0), |(seen, admitted), document| {
                (seen + 1, admitted + usize::from(filter.admits(*document)))
            });
            // Where it is close, they are counted.
            if seen > 0 && admitted * rows / seen > few * 2 {
                return Ok(Way::Walk);
            }
        }
    }
    let admitted = rows_of(base, filter, deadline)?;
    Ok(if admitted.len() > few { Way::Walk } else { Way::Scan(admitted) })
}

/// All rows that a filter admits.
pub(super) fn rows_of(base: &Base, filter: &Filter, deadline: Instant) -> Result<Vec<u32>, IndexError> {
    let (rows, documents) = (base.by_document(), base.documents());
    let of = |row: &u32| documents.get(*row as usize).copied().unwrap_or(i64::MAX);
    let mut admitted = Vec::new();
    if let Filter::Documents(wanted) = filter {
        let mut rest = rows;
        for (number, document) in wanted.iter().enumerate() {
            in_time(number, deadline)?;
            rest = &rest[rest.partition_point(|row| of(row) < *document)..];
            let theirs = rest.iter().take_while(|row| of(row) == *document);
            let before = admitted.len();
            admitted.extend(theirs);
            rest = &rest[admitted.len() - before..];
        }
        return Ok(admitted);
    }
    let mut rest = rows;
    let mut number = 0;
    while let Some(first) = rest.first() {
        in_time(number, deadline)?;
        number += 1;
        let document = of(first);
        let theirs = rest.iter().take_while(|row| of(row) == document).count();
        if filter.admits(document) {
            admitted.extend_from_slice(&rest[..theirs]);
        }
        rest = &rest[theirs..];
    }
    Ok(admitted)
}

fn in_time(number: usize, deadline: Instant) -> Result<(), IndexError> {
    if number.is_multiple_of(DOCUMENTS_PER_LOOK) && Instant::now() >= deadline {
        return Err(IndexError::Deadline);
    }
    Ok(())
}
