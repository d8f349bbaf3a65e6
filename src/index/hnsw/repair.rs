//! Ways to rows that none leads to.

use super::layer::Links;
use super::refine::MOST;
use super::table::Table;
use super::threads::{Stopped, Workers};
use super::walk::{Graph, Walker};

/// How many rows near an unreachable one are asked for a link.
const ASKED: usize = 64;
/// The most links of a row that was asked.
const ROOM: usize = MOST + MOST / 2;

/// Links rows on the lowest layer until links lead from the entry to every row.
pub(super) fn repair(table: &Table, layers: &mut [Links], workers: &Workers<'_>) -> Result<(), Stopped> {
    let mut lists: Vec<Vec<u32>> =
        (0..table.len() as u32).map(|row| layers[0].layer().of(row).to_vec()).collect();
    let mut reached = vec![false; table.len()];
    reach(&lists, 0, &mut reached);
    let lost: Vec<u32> = (0..table.len() as u32).filter(|row| !reached[*row as usize]).collect();
    let near = {
        let graph = Graph { rows: table.rows(), layers: layers.iter().map(Links::layer).collect() };
        workers.each(lost.len(), Walker::default, |walker, at| {
            let query = table.query(lost[at], &mut Vec::new());
            let found = walker.walk(&graph, &query, ASKED, |_| true, || false).unwrap_or_default();
            found.into_iter().map(|(row, _)| row).collect::<Vec<_>>()
        })?
    };
    let mut with_room = 0;
    for (row, near) in lost.into_iter().zip(near) {
        if reached[row as usize] {
            continue;
        }
        // A walk comes down from higher layers, so that what it finds may itself be lost.
        let near: Vec<u32> = near.into_iter().filter(|near| reached[*near as usize]).collect();
        let asked = near.iter().copied().find(|near| lists[*near as usize].len() < ROOM);
        // All near it are full, as among very many that are alike: any that is reached will do.
        let asked = asked.or_else(|| {
            while with_room < lists.len() && !(reached[with_room] && lists[with_room].len() < ROOM) {
                with_room += 1;
            }
            (with_room < lists.len()).then_some(with_room as u32)
        });
        // A way that makes a list too long is better than none.
        let asked = asked.or_else(|| near.first().copied()).unwrap_or_default();
        lists[asked as usize].push(row);
        if let Some(nearest) = near.first()
            && lists[row as usize].len() < ROOM
            && !lists[row as usize].contains(nearest)
        {
            lists[row as usize].push(*nearest);
        }
        reach(&lists, row, &mut reached);
    }
    layers[0] = Links::of_lists(lists);
    Ok(())
}

/// Marks the row and all that links lead to from it.
fn reach(lists: &[Vec<u32>], from: u32, reached: &mut [bool]) {
    let mut next = vec![from];
    while let Some(row) = next.pop() {
        match reached.get_mut(row as usize) {
            Some(reached) if !*reached => *reached = true,
            _ => continue,
        }
        next.extend(lists.get(row as usize).into_iter().flatten().filter(|link| !reached[**link as usize]));
    }
}

/// How many rows no links lead to.
#[cfg(test)]
pub(super) fn unreachable(links: &Links) -> usize {
    let lists: Vec<Vec<u32>> = (0..links.rows() as u32).map(|row| links.layer().of(row).to_vec()).collect();
    let mut reached = vec![false; lists.len()];
    reach(&lists, 0, &mut reached);
    reached.iter().filter(|reached| !**reached).count()
}
