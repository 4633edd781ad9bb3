//! Each rule of `tidy` on a small bad input, and on a good one.

use std::path::{Path, PathBuf};

use xtask::{
    metadata::Workspace,
    source::Source,
    tidy::{arrows, models, places, rules},
};

/// The breaches of one file, without its path.
fn breaches(path: &str, text: &str) -> Vec<String> {
    let found = rules::check(Path::new(path), text, &Source::parse(text), true);
    found
        .iter()
        .map(|breach| breach[path.len() + 1..].to_owned())
        .collect()
}

/// A file that begins as every file does.
fn file(path: &str, rest: &str) -> Vec<String> {
    breaches(path, &format!("//! A file.\n{rest}"))
}

const PLAIN: &str = "crates/pirn-sync/src/event.rs";
const HOME: &str = "crates/pirn-core/src/wait.rs";
const TEST: &str = "crates/pirn-sync/tests/event.rs";

#[test]
fn a_file_begins_with_what_it_is() {
    assert_eq!(breaches(PLAIN, "use std::mem;\n").len(), 1);
    assert!(file(PLAIN, "use std::mem;\n").is_empty());
}

#[test]
fn nothing_is_left_to_do() {
    assert_eq!(file(PLAIN, "fn f() { todo!() }").len(), 1);
    assert_eq!(file(PLAIN, "fn f() { unimplemented!(\"later\") }").len(), 1);
    assert_eq!(file(TEST, "#[ignore = \"slow\"]\nfn f() {}").len(), 1);
    assert!(
        file(
            PLAIN,
            "// todo!() is not used\nconst S: &str = \"todo!()\";"
        )
        .is_empty()
    );
}

#[test]
fn unsafe_code_has_its_argument_above_it() {
    assert_eq!(
        file(HOME, "fn f() { unsafe { g() } }"),
        ["2: unsafe without a `// SAFETY:` comment above it"]
    );
    assert_eq!(file(HOME, "unsafe impl Send for X {}").len(), 1);
    assert!(
        file(
            HOME,
            "// SAFETY: g asks for nothing.\nlet x =\n    unsafe { g() };"
        )
        .is_empty()
    );
    assert!(file(HOME, "/// Does.\npub unsafe fn f() {}").is_empty());
}

#[test]
fn unsafe_code_stays_at_home() {
    let code = "// SAFETY: fine.\nfn f() { unsafe { g() } }";
    assert!(file(HOME, code).is_empty());
    assert_eq!(file(PLAIN, code).len(), 1);
    assert!(file(TEST, code).is_empty());
}

#[test]
fn a_crate_without_unsafe_code_says_so() {
    let path = "crates/pirn-timer/src/lib.rs";
    assert_eq!(file(path, "mod wheel;").len(), 1);
    assert!(file(path, "#![forbid(unsafe_code)]\nmod wheel;").is_empty());
}

#[test]
fn an_ordering_is_argued_for() {
    let bare = "use std::sync::atomic::Ordering::{self, Acquire};\nfn f() { x.load(Acquire) }";
    assert_eq!(
        file(PLAIN, bare),
        ["3: Acquire without an `// Ordering:` comment"]
    );
    assert_eq!(file(PLAIN, "fn f() { x.load(Ordering::Relaxed) }").len(), 1);
    let argued = "// Ordering: Acquire, pairs with the Release in `g`.\nx.load(Ordering::Acquire);";
    assert!(file(PLAIN, argued).is_empty());
    let wide = "// Ordering: AcqRel, both sides.\nx.compare_exchange(\n    a,\n    b,\n    \
                Ordering::AcqRel,\n    Ordering::Acquire,\n);";
    assert!(file(PLAIN, wide).is_empty());
    // Only the word: an enum of ours, and cmp's orderings.
    assert!(file(PLAIN, "match action { Action::Release => Ordering::Less }").is_empty());
    let ours = "use std::sync::atomic::Ordering::Acquire;\nuse state::Release;\nf(Release);";
    assert!(file(PLAIN, ours).is_empty());
    // The shim hands loom's out.
    let shim = "crates/pirn-core/src/shim/loom.rs";
    assert!(file(shim, "fn f() { x.load(Ordering::Relaxed) }").is_empty());
}

#[test]
fn only_a_fence_is_sequentially_consistent() {
    let access = "// Ordering: SeqCst, why not.\nx.load(Ordering::SeqCst);";
    assert_eq!(file(PLAIN, access).len(), 1);
    assert!(
        file(
            PLAIN,
            "// Ordering: SeqCst, with g's.\nfence(Ordering::SeqCst);"
        )
        .is_empty()
    );
}

#[test]
fn what_is_modelled_goes_through_the_shim() {
    let hidden = "use std::sync::Mutex;";
    assert_eq!(file(PLAIN, hidden).len(), 1);
    assert_eq!(
        file(
            PLAIN,
            "use std::{\n    sync::atomic::AtomicU8,\n    mem,\n};"
        )
        .len(),
        1
    );
    assert_eq!(
        file(PLAIN, "static X: std::sync::Mutex<u8> = f();").len(),
        1
    );
    assert_eq!(file(PLAIN, "use core::cell::{Cell, UnsafeCell};").len(), 1);
    assert_eq!(
        file(PLAIN, "use core::fmt;\nx: core::sync::atomic::AtomicU8,").len(),
        1
    );
    assert_eq!(file(PLAIN, "pub use alloc::sync::Mutex;").len(), 1);
    assert!(file(PLAIN, "// Not the shim's: a static.\nuse std::sync::Mutex;").is_empty());
    assert!(
        file(
            PLAIN,
            "use std::sync::Mutex;\n// `std`'s on purpose: a static."
        )
        .is_empty()
    );
    assert!(file(PLAIN, "x: Mutex<std::sync::Arc<u8>>,").is_empty());
    assert!(file(PLAIN, "use pirn_core::shim::{Mutex, UnsafeCell};").is_empty());
    assert!(file(PLAIN, "use std::sync::{Arc, atomic::Ordering};").is_empty());
}

#[test]
fn a_guard_that_is_made_in_any_case_is_found() {
    let made = |value: &str| file(PLAIN, &format!("fn f() {{ free.then_some({value}); }}")).len();
    assert_eq!(made("Held { slot }"), 1);
    assert_eq!(made("Claimed(flag)"), 1);
    assert_eq!(made("Err(Closed)"), 0);
    assert_eq!(made("Grant::Value"), 0);
    assert_eq!(made("want"), 0);
}

#[test]
fn a_let_chain_is_found() {
    for chain in [
        "if let Some(x) = a && x > 1 { }",
        "if ready && let Some(x) = a { }",
        "while let Some(x) = f(a, b)\n    && x.is_ok()\n{ }",
    ] {
        assert_eq!(file(PLAIN, chain).len(), 1, "{chain}");
    }
    for none in [
        "if let Some(x) = f(a && b) { }",
        "if let Some(&&x) = list.iter().next() { }",
        "match x { y if a && b => { let z = 1; } _ => {} }",
        "if a && b { let c = d && e; }",
        "if let Some(x) = a.map(|x| { x && y }) { }",
        "if a { } else if let Some(x) = b { } else { c && d; }",
    ] {
        assert!(file(PLAIN, none).is_empty(), "{none}");
    }
    assert!(file(TEST, "if let Some(x) = a && x { }").is_empty());
}

#[test]
fn a_test_does_not_sleep() {
    let sleep = "fn f() { std::thread::sleep(d) }";
    assert_eq!(file(TEST, sleep).len(), 1);
    assert!(file(PLAIN, sleep).is_empty());
}

#[test]
fn code_in_strings_and_comments_is_not_code() {
    let text = "const A: &str = r#\"unsafe { \" }\"#; /* unsafe { /* nested */ } */ // unsafe {\n\
                const B: [char; 3] = ['\"', '\\'', '{'];\nconst C: &str = \"\\\"unsafe {\";\n\
                fn f<'a>(x: &'a str) -> &'a str { x }";
    assert!(file(PLAIN, text).is_empty());
    let source = Source::parse(text);
    assert!(source.lines[0].comment.contains("nested"));
    assert!(
        source.lines[3]
            .code
            .contains("fn f<'a>(x: &'a str) -> &'a str { x }")
    );
}

/// A workspace of two packages, the second with the given dependencies.
fn workspace(name: &str, dependencies: &str, features: &str) -> Workspace {
    let json = format!(
        r#"{{"workspace_root": "/w", "target_directory": "/w/target", "packages": [
            {{"name": "pirn-core", "manifest_path": "/w/crates/pirn-core/Cargo.toml",
              "features": {{}}, "dependencies": []}},
            {{"name": "pirn-io", "manifest_path": "/w/crates/pirn-io/Cargo.toml",
              "features": {{}}, "dependencies": []}},
            {{"name": "pirn-sim", "manifest_path": "/w/crates/pirn-sim/Cargo.toml",
              "features": {{}}, "dependencies": []}},
            {{"name": "{name}", "manifest_path": "/w/crates/{name}/Cargo.toml",
              "features": {features}, "dependencies": [{dependencies}]}}]}}"#
    );
    Workspace::parse(&json).expect("well-formed")
}

fn dependency(name: &str, kind: &str, requirement: &str) -> String {
    format!(
        r#"{{"name": "{name}", "kind": {kind}, "req": "{requirement}", "optional": true, "target": null}}"#
    )
}

fn arrows_of(name: &str, dependencies: &[String]) -> Vec<String> {
    arrows::check(&workspace(name, &dependencies.join(","), "{}").packages)
}

#[test]
fn siblings_do_not_name_each_other() {
    assert!(arrows_of("pirn-sync", &[dependency("pirn-core", "null", "^0.1.0")]).is_empty());
    let found = arrows_of("pirn-sync", &[dependency("pirn-io", "null", "^0.1.0")]);
    assert_eq!(found, ["pirn-sync: must not depend on pirn-io"]);
    // In tests they may, by path alone.
    assert!(arrows_of("pirn-sync", &[dependency("pirn-io", "\"dev\"", "*")]).is_empty());
    assert_eq!(
        arrows_of("pirn-sync", &[dependency("pirn-io", "\"dev\"", "^0.1.0")]).len(),
        1
    );
}

#[test]
fn a_new_crate_needs_its_arrows() {
    assert_eq!(arrows_of("pirn-new", &[]).len(), 1);
}

#[test]
fn a_small_crate_needs_little_from_outside() {
    let names = ["a", "b", "c", "d", "e"];
    let needs: Vec<String> = names.iter().map(|n| dependency(n, "null", "^1")).collect();
    assert_eq!(arrows_of("pirn-sync", &needs).len(), 1);
    assert!(arrows_of("pirn-sync", &needs[..4]).is_empty());
    assert!(arrows_of("pirn-http", &needs).is_empty());
}

#[test]
fn the_facade_simulates_only_behind_a_feature() {
    let needs = dependency("pirn-sim", "null", "^0.1.0");
    let good = workspace("pirn", &needs, r#"{"test": ["dep:pirn-sim"]}"#);
    assert!(arrows::check(&good.packages).is_empty());
    let bad = workspace("pirn", &needs, r#"{"default": ["dep:pirn-sim"]}"#);
    assert_eq!(arrows::check(&bad.packages).len(), 1);
}

fn places_of(files: &[(&str, &str)]) -> Vec<String> {
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.into()).collect();
    places::check(&paths, |path| {
        let found = files
            .iter()
            .find(|(candidate, _)| Path::new(candidate) == path);
        found.expect("a file that is there").1.into()
    })
}

#[test]
fn a_primitive_has_its_test_and_its_model() {
    let source = ("crates/pirn-sync/src/event.rs", "pub struct Event;");
    let test = ("crates/pirn-sync/tests/event.rs", "");
    let main = ("crates/pirn-sync/tests/loom/main.rs", "mod event;");
    let model = ("crates/pirn-sync/tests/loom/event.rs", "#[test] fn f() {}");
    assert!(places_of(&[source, test, main, model]).is_empty());
    assert_eq!(places_of(&[source, test, main]).len(), 1);
    assert_eq!(places_of(&[source]).len(), 2);
    // A private helper needs neither.
    assert!(places_of(&[("crates/pirn-sync/src/cell.rs", "pub(crate) struct Cell;")]).is_empty());
}

#[test]
fn a_model_is_compiled_and_named_for_what_it_models() {
    let main = (
        "crates/pirn-executor/tests/loom/main.rs",
        "mod task; // mod deque;",
    );
    let task = ("crates/pirn-executor/src/task/state.rs", "");
    let model = (
        "crates/pirn-executor/tests/loom/task.rs",
        "#[test] fn f() {}",
    );
    let lost = (
        "crates/pirn-executor/tests/loom/deque.rs",
        "#[test] fn f() {}",
    );
    let found = places_of(&[main, task, model, lost]);
    assert_eq!(found.len(), 3, "{found:#?}");
    let named = ("crates/pirn-executor/src/task.rs", "");
    assert!(places_of(&[main, named, task, model]).is_empty());
}

/// The page of one primitive with one waiting operation, `wait`, each of whose cells is `cell`.
fn page(columns: &str, cell: &str) -> String {
    let rows = models::CASES.map(|case| format!("| {case} | {cell} |\n"));
    format!(
        "# Models\n\n## event\n\n| | {columns} |\n| --- | --- |\n{}",
        rows.concat()
    )
}

fn models_of(page: &str) -> Vec<String> {
    let files = [
        (
            "crates/pirn-sync/src/event.rs",
            "pub struct Wait<'a>; impl<F: Fn() -> u8> Event<F> {\n    pub fn wait(&self) -> Wait<'_> {}\n    \
             pub fn set(&self) {}\n} impl Future for Wait<'_> { fn poll() -> Poll<()> {} }",
        ),
        ("crates/pirn-sync/src/lib.rs", "mod event;"),
        ("crates/pirn-sync/tests/event.rs", "#[test]\nfn goes() {}"),
        (
            "crates/pirn-sync/tests/loom/event.rs",
            "fn helper() {}\n#[test]\nfn reaches() {}",
        ),
        (
            "crates/pirn-core/tests/loom/wait.rs",
            "#[test]\nfn wakes() {}",
        ),
    ];
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.into()).collect();
    models::check(page, &paths, |path| {
        let found = files
            .iter()
            .find(|(candidate, _)| Path::new(candidate) == path);
        found.expect("a file that is there").1.into()
    })
}

#[test]
fn what_shows_a_case_is_there() {
    let good = "`event::reaches`, `tests/event.rs::goes`, `pirn-core wait::wakes`";
    assert_eq!(models_of(&page("`wait`", good)), [""; 0]);
    // Eight cells, and the model is named nowhere.
    let bad = "`event::helper`";
    assert_eq!(models_of(&page("`wait`", bad)).len(), 9);
    for none in [
        "`event::reaches`, `lock::locks`",
        "`event::reaches`, `tests/event.rs::reaches`",
        "`event::reaches`, `pirn-core wait::goes`",
    ] {
        assert_eq!(models_of(&page("`wait`", none)).len(), 8, "{none}");
    }
    let types = "as `Event::wait`: `event::reaches`";
    assert!(models_of(&page("`wait`", types)).is_empty());
}

#[test]
fn each_waiting_operation_and_each_case_is_on_the_page() {
    let good = page("`wait`", "`event::reaches`");
    assert_eq!(models_of(&page("`set`", "`event::reaches`")).len(), 1);
    assert_eq!(models_of(&good.replace("| closed |", "| shut |")).len(), 1);
    let unnamed = good.replace("## event", "## lock");
    assert_eq!(models_of(&unnamed).len(), 1);
    assert_eq!(
        models_of(&good.replacen("`event::reaches`", "", 1)),
        ["crates/pirn-sync/tests/loom/README.md: a cell of event is empty"]
    );
}

#[test]
fn what_another_page_names_is_there() {
    let files = [PathBuf::from("crates/pirn-sync/tests/event.rs")];
    let names =
        |page| models::check_names("page", page, &files, |_| "#[test]\nfn goes() {}".into());
    assert!(names("`Event::wait`: `tests/event.rs::goes`").is_empty());
    assert_eq!(
        names("`tests/event.rs::comes`"),
        ["page: no test `comes` in crates/pirn-sync/tests/event.rs"]
    );
    assert!(names("| a case | `is_not_a_test` | `goes` |").is_empty());
    assert_eq!(
        names("| a case | `is_not_a_test` | `is_none_in_the_tests` |"),
        ["page: no test `is_none_in_the_tests`"]
    );
    let place = "crates/pirn-group/docs/scopes.md";
    let named = "`pirn-sync tests/event.rs::goes`, `tests/event.rs::goes`";
    assert_eq!(
        models::check_names(place, named, &files, |_| "#[test]\nfn goes() {}".into()),
        ["crates/pirn-group/docs/scopes.md: no test `goes` in crates/pirn-group/tests/event.rs"]
    );
}
