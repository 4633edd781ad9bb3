//! Each rule about the guide on a small bad input, and on a good one.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use xtask::tidy::guide;

const HELLO: &str = "examples/course/01_hello.rs";
const TESTS: &str = "crates/pirn-sync/tests/lock.rs";
const MODEL: &str = "xtask/alone/model/lib.rs";

/// The breaches of one page, beside a second one that is as it should be.
fn page(text: &str) -> Vec<String> {
    named_page("one.md", text)
}

fn named_page(name: &str, text: &str) -> Vec<String> {
    let summary = format!("# Guide\n\n- [It]({name})\n- [Other](other.md)\n");
    guide_of(
        &summary,
        &[
            (name, text),
            ("other.md", "# Other\n\n## A Heading: here\n"),
        ],
    )
}

fn guide_of(summary: &str, pages: &[(&str, &str)]) -> Vec<String> {
    let mut all = BTreeMap::from([("SUMMARY.md".to_owned(), summary.to_owned())]);
    all.extend(
        pages
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string())),
    );
    let doctests: String = pages
        .iter()
        .filter(|(name, _)| !name.starts_with("unread"))
        .map(|(name, _)| format!("#[doc = include_str!(\"src/{name}\")]\n"))
        .collect();
    let files = BTreeMap::from([
        ("docs/lib.rs", doctests.as_str()),
        (HELLO, "//! 01\nfn main() {}\n"),
        (
            TESTS,
            "#[test]\nfn it_locks() {}\n#[pirn::test(seeds = 9)]\nasync fn it_unlocks() {}\nfn helper() {}\n",
        ),
        (MODEL, "fn one() {}\n\nfn two() {}\n"),
    ]);
    let read = |path: &Path| {
        files
            .get(path.to_str().unwrap())
            .copied()
            .unwrap_or_default()
            .to_owned()
    };
    let exists = |path: &Path| {
        let known = files.keys().map(PathBuf::from);
        known.into_iter().any(|file| file.starts_with(path))
    };
    guide::check(&all, read, exists)
}

#[test]
fn every_page_is_in_the_summary_once_and_among_the_doctests() {
    assert_eq!(
        guide_of("# Guide\n", &[("one.md", "# One\n")]),
        ["docs/src/SUMMARY.md: does not list one.md"]
    );
    assert_eq!(
        guide_of("[a](one.md) [b](one.md)\n", &[("one.md", "")]).len(),
        1
    );
    let unread = guide_of("[a](unread.md)\n", &[("unread.md", "# One\n")]);
    assert_eq!(
        unread,
        ["docs/lib.rs: does not include src/unread.md, whose blocks nobody runs"]
    );
    let gone = guide_of("[a](one.md) [b](gone.md)\n", &[("one.md", "")]);
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert!(page("# One\n").is_empty());
}

#[test]
fn a_link_leads_somewhere() {
    assert!(page("[a](other.md) [b](other.md#a-heading-here) [c](#one)\n# One\n").is_empty());
    assert_eq!(
        page("[b](other.md#no-heading)"),
        ["docs/src/one.md: other.md has no heading #no-heading"]
    );
    assert!(page("[a](https://docs.rs/loom) [b](../../examples/course/01_hello.rs)").is_empty());
    assert_eq!(page("[b](../../examples/course/02_gone.rs)").len(), 1);
    assert_eq!(page("[b](../../../examples)").len(), 1);
    // mdBook would make `.html` of it.
    assert_eq!(page("[b](../../README.md)").len(), 1);
    // Code is no link.
    assert!(page("`v[0](x)`\n\n```text\n[b](gone.md)\n```\n").is_empty());
}

#[test]
fn what_is_named_is_there() {
    assert!(
        page("`01_hello` `examples/course` `examples/course/01_hello.rs` `a/b` `00` `x_y`")
            .is_empty()
    );
    assert_eq!(
        page("`02_gone`"),
        ["docs/src/one.md: names `02_gone`, which is not there"]
    );
    assert_eq!(page("`crates/pirn-gone/README.md`").len(), 1);
    let of = |test: &str| page(&format!("| `{TESTS}::{test}` |"));
    assert!(of("it_locks").is_empty());
    assert!(of("it_unlocks").is_empty());
    assert_eq!(of("helper").len(), 1);
    assert_eq!(page("`crates/pirn-sync/tests/gone.rs::it_locks`").len(), 1);
}

#[test]
fn a_block_is_run_and_asserts_something_or_stands_in_a_file() {
    assert!(page("```rust\nassert!(true);\n```\n```toml\nx = 1\n```\n").is_empty());
    assert_eq!(
        page("```rust\nlet x = 1;\n```\n"),
        ["docs/src/one.md: a block asserts nothing: let x = 1;"]
    );
    assert_eq!(
        page("```rust,ignore\nassert!(true);\n```\n"),
        ["docs/src/one.md: a block that nobody runs: assert!(true);"]
    );
    let from = |text: &str| {
        page(&format!(
            "<!-- from {MODEL} -->\n```rust,ignore\n{text}```\n"
        ))
    };
    assert!(from("fn one() {}\n").is_empty());
    assert!(from("fn one() {}\n\nfn two() {}\n").is_empty());
    assert_eq!(
        from("fn three() {}\n"),
        [format!(
            "docs/src/one.md: a block does not stand so in {MODEL}"
        )]
    );
    assert_eq!(from("").len(), 1);
    // The comment stands right above it.
    assert_eq!(
        page(&format!(
            "<!-- from {MODEL} -->\n\n```rust,ignore\nfn one() {{}}\n```\n"
        ))
        .len(),
        1
    );
}

#[test]
fn each_row_of_the_topics_is_shown_or_has_a_reason() {
    let rows = |text: &str| named_page("asyncio-rows.md", text);
    assert!(rows("| 1 | hello | `01_hello` | |\n| 2 | gevent | | out of scope |\n").is_empty());
    assert_eq!(
        rows("| 1 | hello | | |\n"),
        ["docs/src/asyncio-rows.md: row 1 names nothing that shows it, and no reason"]
    );
    assert_eq!(
        rows("| 1 | a | `01_hello` | |\n| 3 | b | `01_hello` | |\n").len(),
        1
    );
    assert_eq!(rows("# Rows\n"), ["docs/src/asyncio-rows.md: has no rows"]);
}
