//! A better choice of links on a layer, by a walk to each row.
//!
//! A row is to be linked with those near it that lie in different directions: of two in the same direction the nearer one
//! leads to the other. This is the rule of HNSW's own paper, and `SLACK` that of Vamana (DiskANN).

use lastro_kernels::Rows;

use super::layer::Links;
use super::table::{Table, distance};
use super::threads::{Stopped, Workers};
use super::walk::{Graph, Walker};

/// The most links of a row on the lowest layer.
pub(super) const MOST: usize = 32;
/// How wide the walk to a row is.
const WIDTH: usize = 100;
/// How much nearer to a chosen row than to ours another must be to be led to by it: more links for more slack.
const SLACK: f32 = 1.3;

/// Chooses the links of these rows on the lowest of these layers anew, at most `most` of each. Rows that they choose link
/// back, as far as that is a good choice for them.
pub(super) fn refine(
    table: &Table,
    layers: &mut [Links],
    rows: &[u32],
    most: usize,
    workers: &Workers<'_>,
) -> Result<(), Stopped> {
    let chosen = {
        let graph = Graph { rows: table.rows(), layers: layers.iter().map(Links::layer).collect() };
        let choose = |walker: &mut Walker, at: usize| around(table, &graph, walker, rows[at], most);
        workers.each(rows.len(), Walker::default, choose)?
    };
    let mut lists: Vec<&[u32]> = (0..layers[0].rows() as u32).map(|row| layers[0].layer().of(row)).collect();
    for (row, links) in rows.iter().zip(&chosen) {
        lists[*row as usize] = links;
    }
    let back = reversed(lists.len(), rows, &chosen);
    let linked = workers.each(
        lists.len(),
        || (),
        |(), row| {
            let mut all = lists[row].to_vec();
            let back = back.layer().of(row as u32);
            if back.is_empty() {
                return all;
            }
            all.extend_from_slice(back);
            all.sort_unstable();
            all.dedup();
            if all.len() > most { choose(table, row as u32, all, most) } else { all }
        },
    )?;
    layers[0] = Links::of_lists(linked);
    Ok(())
}

/// The links of a row: the best choice of what a walk to it finds and what it is linked with.
fn around(table: &Table, graph: &Graph<'_>, walker: &mut Walker, row: u32, most: usize) -> Vec<u32> {
    let query = table.query(row, &mut Vec::new());
    let found = walker.walk(graph, &query, WIDTH, |_| true, || false).unwrap_or_default();
    let mut near: Vec<u32> = found.into_iter().map(|(row, _)| row).collect();
    near.extend_from_slice(graph.layers[0].of(row));
    near.sort_unstable();
    near.dedup();
    near.retain(|near| *near != row);
    choose(table, row, near, most)
}

/// Those of other rows that a row is to be linked with.
fn choose(table: &Table, row: u32, others: Vec<u32>, most: usize) -> Vec<u32> {
    let (mut values, mut scores) = (Vec::new(), Vec::new());
    table.rows().dot_many(&table.query(row, &mut values), &others, &mut scores);
    let mut left: Vec<(f32, u32)> = scores.iter().map(|score| distance(*score)).zip(others).collect();
    left.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut chosen, mut rows) = (Vec::with_capacity(most), Vec::new());
    while let Some((_, nearest)) = left.first().copied() {
        chosen.push(nearest);
        if chosen.len() == most {
            break;
        }
        rows.clear();
        rows.extend(left.iter().map(|(_, row)| *row));
        table.rows().dot_many(&table.query(nearest, &mut values), &rows, &mut scores);
        let mut scores = scores.iter();
        left.retain(|(from_row, other)| {
            let from_nearest = scores.next().map_or(0.0, |score| distance(*score));
            *other != nearest && from_nearest * SLACK > *from_row
        });
    }
    chosen
}

/// Who of these rows links to each of all.
fn reversed(all: usize, rows: &[u32], lists: &[Vec<u32>]) -> Links {
    let mut offsets = vec![0u32; all + 1];
    for link in lists.iter().flatten() {
        offsets[*link as usize + 1] += 1;
    }
    let mut before = 0;
    for offset in &mut offsets {
        before += *offset;
        *offset = before;
    }
    let mut next = offsets.clone();
    let mut links = vec![0; lists.iter().map(Vec::len).sum()];
    for (row, list) in rows.iter().zip(lists) {
        for link in list {
            let at = &mut next[*link as usize];
            links[*at as usize] = *row;
            *at += 1;
        }
    }
    Links { offsets, links }
}
