//! Each rule of `audit` on a small bad input, and on a good one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use xtask::audit::{
    PeerRow, Row,
    cost::Cost,
    docs, features,
    items::{Items, Kind},
    list, manifest, msrv, peers, readme,
    size::Size,
    table,
    tree::Tree,
};

/// The items of a crate of these files, the root first.
fn items(files: &[(&str, &str)]) -> Items {
    let read = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| (*text).to_owned())
    };
    Items::of(Path::new(files[0].0), &read).unwrap()
}

fn names(files: &[(&str, &str)]) -> Vec<String> {
    items(files)
        .list
        .into_iter()
        .map(|item| item.name)
        .collect()
}

fn breaches(text: &str) -> Vec<String> {
    docs::check(&items(&[("src/lib.rs", text)]))
}

const EXAMPLE: &str = "/// ```\n/// assert!(true);\n/// ```\n";

// What is public.

#[test]
fn an_item_is_public_in_public_modules_or_by_a_use() {
    let files = [
        (
            "src/lib.rs",
            "//! A crate.\npub mod open;\nmod closed;\npub use closed::{Named, inner as _};\npub(crate) struct Within;\nstruct Private;\n",
        ),
        (
            "src/open.rs",
            "pub struct Open;\nmod inner { pub struct Sealed; }\n",
        ),
        (
            "src/closed.rs",
            "pub struct Named;\npub struct Unnamed;\nmod below;\npub use below::*;",
        ),
        ("src/closed/below.rs", "pub fn by_a_glob() {}\n"),
    ];
    assert_eq!(names(&files), ["open", "Open", "Named", "by_a_glob"]);
}

#[test]
fn what_is_hidden_is_not_public() {
    let text = "#[doc(hidden)]\npub mod gone { pub struct A; }\n#[doc(hidden)]\npub fn f() {}\n#[cfg(test)]\nmod tests { pub struct B; }\npub fn g() {}\n";
    assert_eq!(names(&[("src/lib.rs", text)]), ["g"]);
}

#[test]
fn functions_are_public_where_they_say_so_and_in_traits() {
    let text = "
pub struct A<const N: usize>([u8; N]);
impl<const N: usize> A<N> { pub fn f(&self) {} fn g() {} pub(crate) fn h() {} pub const X: u8 = 1; }
impl Drop for A<1> { fn drop(&mut self) { struct Inner; } }
pub trait T { fn of_a_trait(&self); }
struct Private;
impl Private { pub fn nobodys() {} }
pin_project_lite::pin_project! { pub struct Pinned { #[pin] inner: () } }
macro_rules! not_exported { () => { pub struct C; } }
pub const fn constant() -> [u8; { 1 + 1 }] { [0; 2] }
pub const NAME: &str = \"pub struct D;\";
";
    assert_eq!(
        names(&[("src/lib.rs", text)]),
        [
            "A",
            "A::f",
            "A::X",
            "T::of_a_trait",
            "T",
            "Pinned",
            "constant",
            "NAME"
        ]
    );
}

#[test]
fn a_module_may_lie_elsewhere() {
    let files = [
        (
            "src/lib.rs",
            "#[path = \"other.rs\"]\npub mod private;\npub mod folder;\n",
        ),
        ("src/other.rs", "pub struct A;"),
        ("src/folder/mod.rs", "pub mod deep;"),
        ("src/folder/deep.rs", "pub struct B;"),
    ];
    let found = items(&files);
    assert_eq!(found.list.len(), 5);
    assert_eq!(found.list[0].kind, Kind::Other);
    assert_eq!(found.list[4].file, PathBuf::from("src/folder/deep.rs"));
}

// What documentation must have.

#[test]
fn what_waits_says_what_dropping_it_does() {
    let waits = [
        "pub async fn f() {}",
        "pub fn f() -> impl Future<Output = u8> {}",
        "pub fn f<F: Fn(u8) -> u8>(f: F) -> Pin<Box<dyn Future<Output = ()> + Send>> {}",
        "pub struct W;\nimpl Future for W {}\nimpl W { pub fn new() -> W {} }",
    ];
    for text in waits {
        let found = breaches(&format!("{EXAMPLE}{text}"));
        assert!(
            found
                .iter()
                .any(|breach| breach.contains("# Cancel safety")),
            "{text}: {found:?}"
        );
    }
    let said = format!("/// # Cancel safety\n///\n/// Nothing is lost.\n{EXAMPLE}");
    for text in waits {
        assert_eq!(breaches(&format!("{said}{text}")), [""; 0], "{text}");
    }
    // A function that takes a future does not wait.
    assert_eq!(
        breaches(&format!("{EXAMPLE}pub fn f(f: impl Future) -> u8 {{}}")),
        [""; 0]
    );
}

#[test]
fn a_method_that_waits_may_leave_it_to_its_future() {
    let text = format!(
        "/// # Cancel safety\n///\n/// None is lost.\n{EXAMPLE}pub struct Get;\nimpl<T> core::future::Future for Get {{}}\n\
         /// ```\n/// assert!(q.get().is_some());\n/// ```\npub struct Queue;\nimpl Queue {{ pub fn get(&self) -> Get {{}} }}"
    );
    assert_eq!(breaches(&text), [""; 0]);
}

#[test]
fn an_example_asserts_something() {
    let no_example = [
        "",
        "/// ```\n/// f();\n/// ```\n",
        "/// ```text\n/// assert\n/// ```\n",
        "/// assert\n",
    ];
    for docs in no_example {
        for item in [
            "pub struct A;",
            "pub enum A {}",
            "pub trait A {}",
            "pub fn a() {}",
            "#[macro_export]\nmacro_rules! a { () => {} }",
        ] {
            assert_eq!(breaches(&format!("{docs}{item}")).len(), 1, "{docs}{item}");
            assert_eq!(breaches(&format!("{EXAMPLE}{item}")), [""; 0]);
        }
    }
    let place = &breaches("\n\n/// A thing.\npub struct A;\n")[0];
    assert!(
        place.starts_with("src/lib.rs:4: `A` has no example"),
        "{place}"
    );
}

#[test]
fn a_type_is_shown_by_its_functions_or_by_what_its_first_paragraph_links_to() {
    let of_a_function = format!("pub struct A;\nimpl A {{ {EXAMPLE} pub fn f() {{}} }}");
    assert_eq!(breaches(&of_a_function), [""; 0]);
    let links = |docs: &str| format!("{docs}pub struct Guard;\n{EXAMPLE}pub struct Lock;\n");
    assert_eq!(breaches(&links("/// What a [`Lock`] gives.\n")), [""; 0]);
    assert_eq!(
        breaches(&links("/// What a [lock](crate::Lock) gives.\n")),
        [""; 0]
    );
    assert_eq!(
        breaches(&links("/// A guard.\n///\n/// See [`Lock`].\n")).len(),
        1
    );
    assert_eq!(breaches(&links("/// What an [`Event`] gives.\n")).len(), 1);
}

#[test]
fn the_example_of_another_type_of_the_same_name_is_none() {
    let receiver = "pub struct Receiver;\nimpl Receiver { /// # Cancel safety\n/// None.\npub async fn next(&self) {} }";
    let one = "/// ```\n/// assert_eq!(r.next().await, 1);\n/// ```\n";
    let root = "pub mod one;\npub mod two;";
    let files = |second: &str| {
        let files = [
            ("src/lib.rs", root.to_owned()),
            ("src/one.rs", format!("{one}{receiver}")),
            ("src/two.rs", format!("{second}{receiver}")),
        ];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        docs::check(&items(&files))
    };
    assert_eq!(files(one), [""; 0]);
    assert_eq!(files("").len(), 2, "{:?}", files(""));
}

#[test]
fn what_gives_a_boxed_future_by_another_name_waits() {
    let text = format!("pub type Sleep = Box<dyn Future>;\n{EXAMPLE}pub fn sleep() -> Sleep {{}}");
    assert_eq!(breaches(&text).len(), 1);
}

// What a manifest must say.

const MANIFEST: &str = "[features]\n# Threads.\nstd = []\n\n[lints]\nworkspace = true\n";
const ROOT: &str = "#![no_std]\n#![cfg_attr(docsrs, feature(doc_cfg))]\n";

fn package(change: impl FnOnce(&mut Value)) -> Value {
    let mut package = json!({
        "name": "pirn-x", "description": "A crate", "license": "MIT", "rust_version": "1.85",
        "readme": "README.md", "repository": null, "homepage": null, "documentation": null,
        "keywords": ["async"], "categories": ["asynchronous", "no-std"],
        "features": { "std": [], "loom": [] },
        "metadata": { "docs": { "rs": { "all-features": true } } },
    });
    change(&mut package);
    package
}

#[test]
fn a_manifest_says_what_a_registry_needs() {
    assert_eq!(manifest::check(&package(|_| ()), MANIFEST, ROOT), [""; 0]);
    let bad: [(&str, Value); 8] = [
        ("description", Value::Null),
        ("readme", json!("../README.md")),
        ("repository", json!("https://example.org")),
        ("keywords", json!(["a", "b", "c", "d", "e", "f"])),
        ("keywords", json!(["structured-concurrency"])),
        ("categories", json!(["async", "no-std"])),
        ("categories", json!(["asynchronous"])),
        (
            "metadata",
            json!({ "docs": { "rs": { "all-features": true, "rustc-args": ["--cfg", "loom"] } } }),
        ),
    ];
    for (key, value) in bad {
        let found = manifest::check(
            &package(|package| package[key] = value.clone()),
            MANIFEST,
            ROOT,
        );
        assert_eq!(found.len(), 1, "{key}: {found:?}");
    }
    let unpublished = package(|package| package["metadata"] = Value::Null);
    assert_eq!(manifest::check(&unpublished, MANIFEST, ROOT).len(), 1);
    let unexplained = MANIFEST.replace("# Threads.\n", "");
    assert_eq!(
        manifest::check(&package(|_| ()), &unexplained, ROOT),
        ["pirn-x: its manifest has no comment on the feature `std`"]
    );
    assert_eq!(
        manifest::check(&package(|_| ()), &MANIFEST.replace("workspace", "# "), ROOT).len(),
        1
    );
    assert_eq!(
        manifest::check(&package(|_| ()), MANIFEST, "#![no_std]\n").len(),
        1
    );
}

// Dependencies.

const TREE: &str = "\
0|pirn-x v0.1.0 (/work/pirn-x)|MIT
1|pirn-core v0.1.0 (/work/pirn-core)|MIT
2|pin-project-lite v0.2.17|Apache-2.0 OR MIT
1|bytes v1.0.0|MIT
1|pin-project-lite v0.2.17|Apache-2.0 OR MIT (*)
2|old v0.1.0|MIT/Apache-2.0
";

#[test]
fn a_tree_is_counted_with_the_crate_and_what_is_ours() {
    let tree = Tree::parse(TREE);
    assert_eq!(tree.counts(), (2, 5));
    assert_eq!(tree.outside().count(), 3);
}

#[test]
fn a_dependency_that_is_not_listed_is_found() {
    let tree = Tree::parse(TREE);
    let there = list::of([("pirn-x", &tree)]);
    let listed = "# A comment.\nbytes | MIT | pirn-x*\nold | MIT OR Apache-2.0 | pirn-x\npin-project-lite | Apache-2.0 OR MIT | pirn-x*\n";
    let check = |listed: &str| list::check(&there, &list::parse(listed).unwrap());
    assert_eq!(check(listed), [""; 0]);
    let found = check(&listed.replace("old | MIT OR Apache-2.0 | pirn-x\n", ""));
    assert!(found[0].contains("a new dependency, `old`"), "{found:?}");
    assert!(
        found[0].ends_with("\n    old | MIT OR Apache-2.0 | pirn-x"),
        "{found:?}"
    );
    assert!(check(&listed.replace("bytes | MIT", "bytes | ISC"))[0].contains("another licence"));
    assert!(check(&listed.replace("pirn-x*\nold", "pirn-x\nold"))[0].contains("is new to pirn-x"));
    assert!(check(&listed.replace("| pirn-x\n", "| pirn-x pirn-y\n"))[0].contains("fewer crates"));
    assert!(check(&format!("{listed}gone | MIT | pirn-x\n"))[0].contains("take it out"));
    assert!(list::parse("bytes | MIT\n").is_err());
}

// Features.

#[test]
fn combinations_are_those_that_can_come_about() {
    let list = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let features = BTreeMap::from([
        ("default".to_owned(), list(&["net"])),
        ("loom".to_owned(), list(&["pirn-core/loom"])),
        ("net".to_owned(), list(&["reactor", "dep:mio"])),
        ("reactor".to_owned(), list(&[])),
        ("tls".to_owned(), list(&[])),
    ]);
    let set = |names: &[&str]| list(names).into_iter().collect::<BTreeSet<_>>();
    let expected = [
        &[][..],
        &["reactor"],
        &["net", "reactor"],
        &["tls"],
        &["reactor", "tls"],
        &["net", "reactor", "tls"],
    ];
    assert_eq!(
        features::combinations(&features),
        expected.into_iter().map(set).collect()
    );
}

// The oldest Rust.

#[test]
fn a_rust_that_cannot_be_had_is_named() {
    let why = msrv::Toolchain::find("0.1", Path::new("/nowhere")).unwrap_err();
    assert!(why.contains("0.1"), "{why}");
}

// Pages.

#[test]
fn a_readme_is_what_a_registry_can_show() {
    let root = "\
//! Locks.
//!
//! Take a [`Lock`], or [another][`Queue`], see [hyper], [the book](https://doc.rust-lang.org) and
//! [its functions](Lock::lock); `a[0]` is code, [sic] is not a link. [`Lock::new`]: makes one.
//!
//! # Use
//!
//! ```
//! # fn main() {
//! let lock = Lock::new(1);
//! #[derive(Debug)]
//! struct A;
//! # }
//! ```
//!
//! ```text
//! # a comment
//! ```
//!
//! [hyper]: https://docs.rs/hyper
//! [`Queue`]: crate::Queue
#![no_std]
//! not this
";
    let page = readme::render(
        "pirn-x",
        &readme::documentation(root),
        "1.85",
        "MIT or Apache-2.0",
    );
    let text = page.split_once("-->\n\n").unwrap().1;
    assert_eq!(
        text,
        "\
Locks.

Take a `Lock`, or another, see [hyper], [the book](https://doc.rust-lang.org) and
its functions; `a[0]` is code, [sic] is not a link. `Lock::new`: makes one.

## Use

```rust
let lock = Lock::new(1);
#[derive(Debug)]
struct A;
```

```text
# a comment
```

[hyper]: https://docs.rs/hyper

Part of pirn, asyncio for Rust as small crates. Rust 1.85 or later; MIT or Apache-2.0, at your option.
"
    );
}

fn row(models: usize, cpu: Option<u64>) -> Row {
    let cost = cpu.map(|cpu| Cost {
        wall: Duration::from_secs(1),
        cpu: Some(Duration::from_secs(cpu)),
    });
    Row {
        name: "pirn-x".into(),
        description: "A crate".into(),
        counts: (1, 2),
        size: Size {
            models,
            ..Size::default()
        },
        cost,
        peers: vec![PeerRow {
            shown: "tokio `sync`",
            counts: (3, 4),
            versions: "tokio 1.0.0".into(),
            cost,
        }],
        ..Row::default()
    }
}

#[test]
fn the_table_keeps_its_words_and_its_times_but_not_its_counts() {
    let before = "| [`pirn-x`](crates/pirn-x) | locks, as `a` | 9 / 9 | 2.5 s | 7 | tokio `sync` 9 / 9, 3.5 s |\n";
    let now = table::readme(&[row(8, None)], before);
    let line = now.lines().nth(2).unwrap();
    assert_eq!(
        line,
        "| [`pirn-x`](crates/pirn-x) | locks, as `a` | 1 / 2 | 2.5 s | 8 | tokio `sync` 3 / 4, 3.5 s |"
    );
    let measured = table::readme(&[row(8, Some(4))], &now);
    assert!(
        measured.contains("| 4.0 s | 8 | tokio `sync` 3 / 4, 4.0 s |"),
        "{measured}"
    );
    // Another machine's times are no breach, other counts are.
    assert_eq!(table::without_times(&now), table::without_times(&measured));
    let unmeasured = table::readme(&[row(8, None)], "");
    assert_eq!(
        table::without_times(&now).replace("locks, as `a`", "A crate"),
        table::without_times(&unmeasured)
    );
    assert_ne!(
        table::without_times(&now),
        table::without_times(&table::readme(&[row(7, None)], &now))
    );
    assert!(
        table::results(&[row(8, Some(4))], "2026-11-26", "rustc 1.95.0").contains("| 1.0 | 4.0 |")
    );
}

#[test]
fn a_table_stands_between_its_markers() {
    let page = format!("above\n{}\nold\n<!-- audit:end -->\nbelow\n", table::README);
    assert_eq!(table::between(&page, table::README), Ok("old"));
    let new = table::replace(&page, table::README, "new\n").unwrap();
    assert_eq!(new, page.replace("old", "new"));
    assert!(table::between("above", table::README).is_err());
    let empty = format!("{}\n<!-- audit:end -->", table::RESULTS);
    assert!(
        table::replace(&empty, table::RESULTS, "new")
            .unwrap()
            .contains("-->\nnew\n<!--")
    );
}

#[test]
fn a_crate_is_measured() {
    let mut size = Size::default();
    size.add("src/lib.rs", "//! A file.\n\n// SAFETY: no unsafe here.\nfn f() { unsafe { g() } }\nunsafe impl Send for A {}\nunsafe fn h() {}\n");
    size.add("tests/a.rs", "//! Tests.\n#[test]\nfn a() {}\n");
    size.add(
        "tests/loom/a.rs",
        "#[test]\nfn a() { model(|| ()); }\n#[test]\nfn b() { model_must_fail(|| ()); }\n",
    );
    size.add("benches/a.rs", "fn f() {}\n");
    let expected = Size {
        code: 3,
        tests: 6,
        unsafes: 2,
        models: 1,
    };
    assert_eq!(size, expected);
}

#[test]
fn each_peer_has_a_project_of_its_own() {
    let names: BTreeSet<String> = peers::PEERS.iter().map(peers::Peer::project).collect();
    assert_eq!(names.len(), peers::PEERS.len());
    assert!(names.contains("pirn-sync-peer-tokio-sync"));
}
