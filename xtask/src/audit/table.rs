//! The tables of crates: the README's, whose counts are checked, and the dated one among the results.

use super::{Row, cost::Cost};

/// Where the README's table begins.
pub const README: &str = "<!-- audit:crates, by `cargo xtask audit --record` -->";
/// Where the results' tables begin.
pub const RESULTS: &str = "<!-- audit:costs, by `cargo xtask audit --time --record` -->";
/// Where either ends.
const END: &str = "<!-- audit:end -->";

/// What stands in a page between a marker and the end.
///
/// # Errors
///
/// When either is missing.
pub fn between<'a>(page: &'a str, marker: &str) -> crate::Result<&'a str> {
    let inside = page
        .split_once(marker)
        .and_then(|(_, rest)| rest.split_once(END));
    inside
        .map(|(inside, _)| inside.trim_matches('\n'))
        .ok_or_else(|| format!("no `{marker}` with `{END}` after it"))
}

/// The page with something else there.
///
/// # Errors
///
/// As [`between`].
pub fn replace(page: &str, marker: &str, table: &str) -> crate::Result<String> {
    between(page, marker)?;
    let (above, rest) = page.split_once(marker).unwrap_or_default();
    let (_, below) = rest.split_once(END).unwrap_or_default();
    let table = table.trim_matches('\n');
    Ok(format!("{above}{marker}\n{table}\n{END}{below}"))
}

/// The README's table. What a crate gives, and times that were not measured now, are taken from the
/// one before.
pub fn readme(rows: &[Row], before: &str) -> String {
    let mut table = String::from(
        "| crate | what it gives alone | needs | build | models | what others need for the same |\n|---|---|---|---|---|---|\n",
    );
    let start = |row: &Row| format!("| [`{0}`](crates/{0}) |", row.name);
    let mut rows: Vec<&Row> = rows.iter().collect();
    // In the order that somebody gave them.
    rows.sort_by_key(|row| before.find(&start(row)).unwrap_or(usize::MAX));
    for row in rows {
        let start = start(row);
        let old = before.lines().find(|line| line.starts_with(&start));
        let cells: Vec<&str> = old
            .unwrap_or_default()
            .trim_end_matches(" |")
            .split(" | ")
            .collect();
        let gives = cells.get(1).copied().unwrap_or(&row.description);
        let own = cells.get(3).and_then(|cell| time_in(cell));
        let theirs = cells.get(5).copied().unwrap_or_default();
        let peers = row.peers.iter().map(|peer| {
            let shown = format!("{} {}", peer.shown, counts(peer.counts));
            let old = theirs
                .split(" · ")
                .find(|other| other.starts_with(peer.shown));
            match seconds(peer.cost, old.and_then(time_in)) {
                Some(time) => format!("{shown}, {time}"),
                None => shown,
            }
        });
        let peers: Vec<String> = peers.collect();
        table.push_str(&format!(
            "{start} {gives} | {} | {} | {} | {} |\n",
            counts(row.counts),
            seconds(row.cost, own).unwrap_or_else(|| "–".into()),
            match row.size.models {
                0 => "–".into(),
                models => models.to_string(),
            },
            match peers.as_slice() {
                [] => "–".into(),
                peers => peers.join(" · "),
            },
        ));
    }
    table
}

/// The tables among the results.
pub fn results(rows: &[Row], date: &str, rust: &str) -> String {
    let cost = |cost: Option<Cost>| match cost {
        Some(Cost { wall, cpu }) => format!(
            "{:.1} | {}",
            wall.as_secs_f64(),
            cpu.map_or_else(|| "–".into(), |cpu| format!("{:.1}", cpu.as_secs_f64()))
        ),
        None => "– | –".into(),
    };
    let mut text = format!(
        "Taken on {date} with {rust}: a debug build with the default features, each alone and from nothing.\n\n\
         | crate | direct / all | without default features | lines of code | of tests | unsafe | models | wall, s | CPU, s |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            row.name,
            counts(row.counts),
            row.bare.map_or_else(|| "–".into(), counts),
            row.size.code,
            row.size.tests,
            row.size.unsafes,
            row.size.models,
            cost(row.cost)
        ));
    }
    text.push_str("\n| instead of | take | versions | direct / all | wall, s | CPU, s |\n|---|---|---|---|---|---|\n");
    for (row, peer) in rows
        .iter()
        .flat_map(|row| row.peers.iter().map(move |peer| (row, peer)))
    {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            row.name,
            peer.shown,
            peer.versions,
            counts(peer.counts),
            cost(peer.cost)
        ));
    }
    text
}

/// A table without its times, which are another machine's.
pub fn without_times(table: &str) -> String {
    let words = table.split(' ').collect::<Vec<_>>();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let is_unit = words
            .get(at + 1)
            .is_some_and(|next| *next == "s" || next.starts_with("s\n"));
        match words[at].parse::<f64>() {
            Ok(_) if is_unit => kept.push("_"),
            _ => kept.push(words[at]),
        }
        at += 1;
    }
    kept.join(" ").replace(", _ s", "").replace("_ s", "–")
}

fn counts((direct, all): (usize, usize)) -> String {
    format!("{direct} / {all}")
}

fn seconds(cost: Option<Cost>, before: Option<f64>) -> Option<String> {
    let now = cost.map(|cost| cost.cpu.unwrap_or(cost.wall).as_secs_f64());
    now.or(before).map(|time| format!("{time:.1} s"))
}

fn time_in(cell: &str) -> Option<f64> {
    let words: Vec<&str> = cell
        .split([' ', '|'])
        .filter(|word| !word.is_empty())
        .collect();
    let [.., time, "s"] = words[..] else {
        return None;
    };
    time.parse().ok()
}
