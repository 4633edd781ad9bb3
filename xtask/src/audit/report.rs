//! The report on standard output: a table, or JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Row, cost::Cost};

/// Prints what was found out, and what is wrong.
pub(super) fn print(rows: &[Row], as_json: bool, breaches: &[String]) {
    if as_json {
        let crates: Vec<Value> = rows.iter().map(in_json).collect();
        println!("{:#}", json!({ "crates": crates, "breaches": breaches }));
        return;
    }
    println!(
        "crate          direct/all   bare  code tests unsafe models combinations  Rust   wall    CPU"
    );
    for row in rows {
        let pair = |(direct, all)| format!("{direct}/{all}");
        let (wall, cpu) = times(row.cost);
        println!(
            "{:14} {:>10} {:>6} {:>5} {:>5} {:>6} {:>6} {:>12} {:>5} {wall:>6} {cpu:>6}",
            row.name,
            pair(row.counts),
            row.bare.map(pair).unwrap_or_default(),
            row.size.code,
            row.size.tests,
            row.size.unsafes,
            row.size.models,
            row.combinations,
            row.rust,
        );
        for peer in &row.peers {
            let (wall, cpu) = times(peer.cost);
            println!(
                "{:>25}        {:52} {wall:>6} {cpu:>6}",
                pair(peer.counts),
                peer.shown
            );
        }
    }
    for breach in breaches {
        println!("{breach}");
    }
}

fn times(cost: Option<Cost>) -> (String, String) {
    let shown = |time: Duration| format!("{:.1}", time.as_secs_f64());
    let cpu = cost.and_then(|cost| cost.cpu);
    (
        cost.map(|cost| shown(cost.wall)).unwrap_or_default(),
        cpu.map(shown).unwrap_or_default(),
    )
}

fn in_json(row: &Row) -> Value {
    let counts = |(direct, all)| json!({ "direct": direct, "all": all });
    let cost = |cost: Option<Cost>| {
        cost.map(|cost| json!({ "wall": cost.wall.as_secs_f64(), "cpu": cost.cpu.map(|cpu| cpu.as_secs_f64()) }))
    };
    let peers: Vec<Value> = row
        .peers
        .iter()
        .map(|peer| {
            json!({
                "name": peer.shown,
                "versions": peer.versions,
                "dependencies": counts(peer.counts),
                "build": cost(peer.cost),
            })
        })
        .collect();
    json!({
        "name": row.name,
        "dependencies": counts(row.counts),
        "without_default_features": row.bare.map(counts),
        "lines": { "code": row.size.code, "tests": row.size.tests },
        "unsafe": row.size.unsafes,
        "models": row.size.models,
        "feature_combinations": row.combinations,
        "rust": row.rust,
        "build": cost(row.cost),
        "peers": peers,
    })
}
