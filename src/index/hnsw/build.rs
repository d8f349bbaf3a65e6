//! A graph out of vectors: hnsw_rs lays it out, and it is refined and repaired here.
//!
//! What hnsw_rs makes of few connections and a narrow search is made fast and is poor: where a list is full, it drops the
//! farthest link whatever it was good for, which at 100,000 vectors leaves every eighth row without a way to it. It gives
//! layers and a rough neighbourhood, and the walks of [`refine`](super::refine), five times as fast as its own, do the rest.

use std::cell::RefCell;

use hnsw_rs::prelude::{Distance, Hnsw};
use lastro_kernels::{I8Query, Rows};

use super::layer::Links;
use super::refine::{MOST, refine};
use super::repair::repair;
use super::table::{Table, distance};
use super::threads::{Stopped, Workers};

/// Links of a row on hnsw_rs's upper layers; twice as many on its lowest.
const CONNECTIONS: usize = 8;
/// How wide hnsw_rs searches for them.
const WIDTH: usize = 24;
/// The most layers that hnsw_rs has.
const MOST_LAYERS: usize = 16;
/// How often the lowest layer is refined.
const ROUNDS: usize = 2;

/// A graph, and its rows in the order that it has them: those of high layers come first, and row 0 is the entry.
pub(super) struct Built {
    pub table: Table,
    /// From the lowest up. There is one even where there are no rows.
    pub layers: Vec<Links>,
}

/// Builds a graph of all rows of a table.
pub(super) fn build(table: Table, workers: &Workers<'_>) -> Result<Built, Stopped> {
    let lists = lay_out(&table, workers)?;
    let order = order(&lists);
    let mut layers = arranged(&lists, &order);
    drop(lists);
    let table = table.arranged(&order);
    let all: Vec<u32> = (0..table.len() as u32).collect();
    for _ in 0..ROUNDS {
        refine(&table, &mut layers, &all, MOST, workers)?;
    }
    repair(&table, &mut layers, workers)?;
    Ok(Built { table, layers })
}

/// The lists of each layer, for the rows that are on it; others are `None`.
type Lists = Vec<Vec<Option<Vec<u32>>>>;

fn lay_out(table: &Table, workers: &Workers<'_>) -> Result<Lists, Stopped> {
    let rows = table.len();
    let graph = Hnsw::<u32, ByCodes<'_>>::new(CONNECTIONS, rows, MOST_LAYERS, WIDTH, ByCodes(table));
    workers.each(rows, || (), |(), row| graph.insert((&[row as u32], row)))?;
    let points = graph.get_point_indexation();
    let mut lists: Lists = Vec::new();
    for layer in 0..=points.get_max_level_observed() as usize {
        lists.push(vec![None; rows]);
        for point in points.get_layer_iterator(layer) {
            // It has links above its own layer too, from its way down, which nobody would walk.
            let neighbourhood = point.get_neighborhood_id().into_iter().take(layer + 1);
            for (links, of_layer) in neighbourhood.zip(&mut lists) {
                of_layer[point.get_origin_id()] = Some(links.iter().map(|link| link.d_id as u32).collect());
            }
        }
    }
    Ok(lists)
}

/// Rows of high layers first, those of a layer by chance. On the lowest, each is beside those that it is linked with, so that
/// a walk stays in few pages.
fn order(lists: &Lists) -> Vec<u32> {
    let rows = lists.first().map_or(0, Vec::len);
    let mut random = fastrand::Rng::with_seed(rows as u64);
    let mut taken = vec![false; rows];
    let mut order: Vec<u32> = Vec::with_capacity(rows);
    for layer in lists.iter().skip(1).rev() {
        let mut theirs: Vec<u32> = (0..rows as u32)
            .filter(|row| {
                layer[*row as usize].is_some() && !std::mem::replace(&mut taken[*row as usize], true)
            })
            .collect();
        random.shuffle(&mut theirs);
        order.extend(theirs);
    }
    let Some(lowest) = lists.first() else { return order };
    let mut next = 0;
    for start in 0..rows as u32 {
        while let Some(row) = order.get(next) {
            next += 1;
            for link in lowest[*row as usize].iter().flatten() {
                if !std::mem::replace(&mut taken[*link as usize], true) {
                    order.push(*link);
                }
            }
        }
        if !std::mem::replace(&mut taken[start as usize], true) {
            order.push(start);
        }
    }
    order
}

/// The lists of each layer in this order of rows, without links to rows that are not on the layer.
fn arranged(lists: &Lists, order: &[u32]) -> Vec<Links> {
    let mut places = vec![0; order.len()];
    for (place, row) in order.iter().enumerate() {
        places[*row as usize] = place as u32;
    }
    let of_layer = |layer: &Vec<Option<Vec<u32>>>| {
        let lists = order.iter().map_while(|row| {
            let links = layer[*row as usize].as_ref()?;
            let there = links.iter().filter(|link| layer[**link as usize].is_some() && *link != row);
            Some(there.map(|link| places[*link as usize]).collect::<Vec<_>>())
        });
        Links::of_lists(lists)
    };
    match lists.is_empty() {
        true => vec![Links::of_lists([[]; 0])],
        false => lists.iter().map(of_layer).collect(),
    }
}

/// The distance of two rows of a table, each given by its number alone: 1 less the cosine, and never under 0, as hnsw_rs
/// asks for.
struct ByCodes<'a>(&'a Table);

/// The row that a thread compared last, as a query: hnsw_rs compares one row with many in turn.
#[derive(Default)]
struct Last {
    query: Option<(u32, I8Query)>,
    values: Vec<f32>,
    scores: Vec<f32>,
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::default();
}

impl Distance<u32> for ByCodes<'_> {
    fn eval(&self, of: &[u32], to: &[u32]) -> f32 {
        let &[row] = of else { return 0.0 };
        LAST.with_borrow_mut(|Last { query, values, scores }| {
            if query.as_ref().is_none_or(|(last, _)| *last != row) {
                *query = Some((row, self.0.query(row, values)));
            }
            if let Some((_, query)) = query {
                self.0.rows().dot_many(query, to, scores);
            }
            distance(scores.first().copied().unwrap_or_default())
        })
    }
}
