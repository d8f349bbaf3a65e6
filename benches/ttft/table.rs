//! The figures for people, in the terminal.

use crate::arguments::Arguments;
use crate::load::clients;
use crate::numbers::short;
use crate::rounds::{Measured, Quantiles, Series};
use crate::summary::{Added, Interval, added, saturated};
use crate::target::Target;

/// Widths of the columns: names, figures with their intervals, those without, failures.
const WIDTHS: [usize; 4] = [28, 24, 9, 8];

/// Prints what all targets added under one load.
pub fn print(targets: &[Target], measured: &Measured, arguments: &Arguments, cores: usize) {
    let load = measured.load;
    let rounds = measured.series.first().and_then(Option::as_ref).map_or(0, |series| series.samples.len());
    println!(
        "\n{}, {} requests/s, {} frames {} ms apart; {rounds} rounds of {} s, {} discarded",
        clients(load.clients),
        load.rate,
        arguments.frames,
        arguments.gap_ms,
        load.seconds,
        measured.discarded.len()
    );
    if rounds == 0 {
        println!("  no round counts: the machine was too busy, direct did not agree with direct");
        return;
    }
    let [wide, figure, plain, narrow] = WIDTHS;
    println!(
        "  {:<wide$}{:>figure$}{:>figure$}{:>figure$}{:>plain$}{:>plain$}{:>plain$}{:>narrow$}",
        "added, ms [95 %]", "p50", "p90", "p99", "gap p99", "RSS MiB", "CPU µs", "failed"
    );
    for (index, target) in targets.iter().enumerate() {
        match (&measured.series[index], &target.started) {
            (Some(series), _) => {
                line(target, series, added(measured, index, 0, arguments.seed).filter(|_| index > 0));
                if let Some(why) = saturated(measured, index, cores) {
                    println!("  {:<wide$} did not keep up: {why}", "");
                }
            }
            (None, Err(why)) => println!("  {:<wide$} {why}", target.name),
            (None, Ok(_)) => {}
        }
    }
    for (index, target) in targets.iter().enumerate() {
        for other in &target.against {
            if let Some(added) = added(measured, index, *other, arguments.seed) {
                let name = format!("{} less {}", target.name, targets[*other].name);
                columns(&name, difference(&added), None, added.cpu_us, "");
            }
        }
    }
}

/// The columns of names and figures.
fn columns(name: &str, cells: [String; 4], memory: Option<f64>, cpu: Option<Interval>, failed: &str) {
    let [wide, figure, plain, narrow] = WIDTHS;
    let [p50, p90, p99, gap] = cells;
    let memory = memory.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.1}"));
    let cpu = cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{:.0}", cpu.median));
    println!(
        "  {name:<wide$}{p50:>figure$}{p90:>figure$}{p99:>figure$}{gap:>plain$}{memory:>plain$}{cpu:>plain$}{failed:>narrow$}"
    );
}

fn difference(added: &Added) -> [String; 4] {
    let Added { p50, p90, p99, gap_p99, .. } = added;
    [interval(p50), interval(p90), interval(p99), short(gap_p99.median)]
}

fn line(target: &Target, series: &Series, added: Option<Added>) {
    let name = WIDTHS[0];
    let (first, gaps) = (Quantiles::of(&series.first), Quantiles::of(&series.gaps));
    let cells = added.as_ref().map_or_else(
        || [first.p50, first.p90, first.p99, gaps.p99].map(|own| format!("({})", short(own))),
        difference,
    );
    let (lost, sent) = series.failed();
    let failed =
        if lost == 0 { "0".to_owned() } else { format!("{:.2} %", lost as f64 * 100.0 / sent as f64) };
    let memory = series.memory.map(|(resident, _)| resident);
    columns(&target.name, cells, memory, added.and_then(|a| a.cpu_us), &failed);
    if let Some(example) = series.samples.iter().flat_map(|sample| &sample.failed).next() {
        println!("  {:<name$} {lost} failed, the first: {}, {}", "", example.how, example.example.trim());
    }
    if let Some(why) = &series.stopped {
        println!("  {:<name$} gave up: {why}", "");
    }
}

/// A median with its interval.
pub fn interval(interval: &Interval) -> String {
    format!("{} [{}, {}]", short(interval.median), short(interval.low), short(interval.high))
}
