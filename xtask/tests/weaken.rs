//! What `weaken` finds in small sources, what it makes of them, and what the list of survivors says
//! to that. What it builds and runs is not tried here.

use std::path::{Path, PathBuf};

use xtask::{
    metadata::Package,
    source::Source,
    weaken::{
        Tally,
        judge::{self, Fate, Judges, Outcome},
        mutants::{self, Kind, Mutant},
        results::Results,
        survivors::Survivors,
    },
};

const PATH: &str = "crates/pirn-sync/src/lock.rs";

fn find(text: &str) -> Vec<Mutant> {
    mutants::find(Path::new(PATH), text).unwrap()
}

/// What is found, and the whole file with each.
fn mutated(text: &str) -> Vec<String> {
    let found = find(text);
    found.iter().map(|mutant| mutant.apply(text)).collect()
}

fn whats(text: &str) -> Vec<String> {
    find(text).into_iter().map(|mutant| mutant.what).collect()
}

#[test]
fn an_ordering_becomes_the_next_weaker_ones() {
    assert_eq!(
        mutated("fn f() { a.load(Ordering::Acquire); }"),
        ["fn f() { a.load(Ordering::Relaxed); }"]
    );
    assert_eq!(
        mutated("fn f() { a.swap(1, Ordering::AcqRel); }"),
        [
            "fn f() { a.swap(1, Ordering::Acquire); }",
            "fn f() { a.swap(1, Ordering::Release); }"
        ]
    );
    assert_eq!(
        whats(
            "fn f() { a.load(Ordering::SeqCst); a.store(1, Ordering::SeqCst); a.swap(1, Ordering::SeqCst) }"
        ),
        [
            "load SeqCst>Acquire",
            "store SeqCst>Release",
            "swap SeqCst>AcqRel"
        ]
    );
    assert!(whats("fn f() { a.load(Ordering::Relaxed) }").is_empty());
}

#[test]
fn of_two_orderings_one_is_weakened_at_a_time() {
    assert_eq!(
        mutated("fn f() { a.compare_exchange(0, 1, Ordering::Release, Ordering::Acquire) }"),
        [
            "fn f() { a.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Acquire) }",
            "fn f() { a.compare_exchange(0, 1, Ordering::Release, Ordering::Relaxed) }"
        ]
    );
}

#[test]
fn a_fence_becomes_weaker_or_goes() {
    let imports = "use std::sync::atomic::Ordering::{Acquire, SeqCst};\n";
    let text = format!("{imports}fn f() {{ fence(SeqCst); fence(Acquire); }}");
    assert_eq!(
        mutated(&text),
        [
            format!(
                "{imports}fn f() {{ fence(std::sync::atomic::Ordering::AcqRel); fence(Acquire); }}"
            ),
            format!("{imports}fn f() {{ fence(SeqCst);  }}"),
        ]
    );
}

#[test]
fn a_bare_name_is_an_ordering_only_where_it_is_imported() {
    let code = "struct Acquire; fn f() { g(Acquire); a.load(Release) }";
    assert!(whats(code).is_empty());
    let text = format!("use std::sync::atomic::Ordering::{{Relaxed, Release}};\n{code}");
    assert_eq!(whats(&text), ["load Release>Relaxed"]);
    assert!(
        whats("use std::sync::atomic::{AtomicU8, Ordering};\nfn f() { g(Release) }").is_empty()
    );
}

#[test]
fn comments_and_strings_hold_nothing() {
    assert!(
        whats("// a.load(Ordering::Acquire)\nfn f() { g(\"h(Ordering::Acquire)\", '\"'); }")
            .is_empty()
    );
    // What stands behind them is found at its place.
    assert_eq!(
        mutated("fn f() { /* ä ( */ g(r#\"ö}\"#, '(', '\\''); wake(w); }"),
        ["fn f() { /* ä ( */ g(r#\"ö}\"#, '(', '\\'');  }"]
    );
}

#[test]
fn what_is_in_a_macro_is_found() {
    assert_eq!(
        mutated("fn f() { assert!(a.load(Ordering::Acquire) == 1); }"),
        ["fn f() { assert!(a.load(Ordering::Relaxed) == 1); }"]
    );
    assert_eq!(
        whats("pin_project! { impl PinnedDrop for T { fn drop(this: P) { this.w.wake(); } } }"),
        ["wake"]
    );
}

#[test]
fn the_shim_is_left_alone() {
    let path = Path::new("crates/pirn-core/src/shim/loom.rs");
    let found = mutants::find(path, "fn f() { a.load(Ordering::Acquire); }");
    assert!(found.unwrap().is_empty());
}

#[test]
fn a_call_that_is_a_statement_is_left_out() {
    assert_eq!(
        mutated("fn f() { a(); self.list.policy().x[1].wake_by_ref(); b(); }"),
        ["fn f() { a();  b(); }"]
    );
    assert_eq!(
        mutated("fn f() { if x { wake::wake(waker); } }"),
        ["fn f() { if x {  } }"]
    );
    assert_eq!(
        mutated("fn f() { let _ = self.waker.wake()?; }"),
        ["fn f() {  }"]
    );
    assert_eq!(
        mutated("fn f() { <Self as Policy<1>>::settle(door, 0); P::<u8>::settle(door, 0); }"),
        [
            "fn f() {  P::<u8>::settle(door, 0); }",
            "fn f() { <Self as Policy<1>>::settle(door, 0);  }"
        ]
    );
}

#[test]
fn a_call_whose_value_is_used_becomes_what_the_table_says() {
    assert_eq!(
        mutated("fn f() { while *n > 0 && door.grant_head(q, 1) {} }"),
        ["fn f() { while *n > 0 && false {} }"]
    );
    assert_eq!(
        mutated("fn f() { match x { A => self.cell.wake(), B => {} } }"),
        ["fn f() { match x { A => (), B => {} } }"]
    );
    assert_eq!(
        mutated("fn f() { catch(|| waker.wake()); }"),
        ["fn f() { catch(|| ()); }"]
    );
    assert_eq!(
        mutated("fn f() { return if x { unsafe { a.wake() } } else { b(y).wake() } }"),
        [
            "fn f() { return if x { unsafe { () } } else { b(y).wake() } }",
            "fn f() { return if x { unsafe { a.wake() } } else { () } }"
        ]
    );
    assert_eq!(
        mutated("fn f() { batch.push(waker); other.push(waker); }"),
        ["fn f() { drop(waker); other.push(waker); }"]
    );
}

#[test]
fn what_only_looks_like_such_a_call_is_not_touched() {
    for code in [
        "fn wake(waker: Waker) { waker.clone() }",
        "fn f() { a.map(wake); }",
        "fn f() { a.wake().unwrap(); }",
        "fn f() { a.wakes(); rewake(); }",
    ] {
        assert!(whats(code).is_empty(), "{code}");
    }
}

#[test]
fn a_mutated_source_differs_in_exactly_its_place() {
    let text = include_str!("../../crates/pirn-sync/src/lock.rs");
    let found = find(text);
    assert!(found.len() > 5);
    for mutant in &found {
        let mutated = mutant.apply(text);
        assert_ne!(mutated, text);
        assert_eq!(mutated[..mutant.span.start], text[..mutant.span.start]);
        assert!(mutated.ends_with(&text[mutant.span.end..]));
        let lines = text.lines().zip(mutated.lines());
        let first = lines.take_while(|(before, after)| before == after).count();
        assert_eq!(first + 1, mutant.line, "{mutant}");
    }
}

#[test]
fn every_file_of_ours_can_be_read() {
    for krate in ["pirn-core", "pirn-sync", "pirn-executor", "pirn-io"] {
        let source = Path::new("../crates").join(krate).join("src");
        let mut folders = vec![source];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert_eq!(Source::parse(&text).blanked.len(), text.len());
                    mutants::find(&path, &text).unwrap();
                }
            }
        }
    }
}

#[test]
fn brackets_that_do_not_match_are_an_error() {
    assert!(mutants::find(Path::new(PATH), "fn f() { (] }").is_err());
    assert!(mutants::find(Path::new(PATH), "fn f() {").is_err());
}

const SETTLE: &str = "\
impl<'a, T: Into<Vec<u8>>> Policy<1> for inner::Word<'a, T> where T: Fn(u8) -> u8 {
    fn settle(door: &mut Door) {
        wake(a);
        let inner = || { wake(b); };
    }
    fn get<const N: usize>(&self) -> impl Fn(u8) -> [u8; 2] { self.0.load(Ordering::Acquire) }
}
fn free() { wake(c); }
trait Wakes: Sized { fn all(&self) { self.x.wake(); } }
";

#[test]
fn a_key_says_where_by_names() {
    let keys: Vec<String> = find(SETTLE).iter().map(Mutant::key).collect();
    assert_eq!(
        keys,
        [
            "crates/pirn-sync/src/lock.rs Word::settle wake wake #1",
            "crates/pirn-sync/src/lock.rs Word::settle wake wake #2",
            "crates/pirn-sync/src/lock.rs Word::get ordering load Acquire>Relaxed #1",
            "crates/pirn-sync/src/lock.rs free wake wake #1",
            "crates/pirn-sync/src/lock.rs Wakes::all wake wake #1",
        ]
    );
    let id = find(SETTLE)[2].id();
    assert_eq!(
        id,
        "crates/pirn-sync/src/lock.rs:6:ordering:load Acquire>Relaxed"
    );
}

#[test]
fn a_key_stays_while_other_code_changes() {
    let keys = |text: &str| find(text).iter().map(Mutant::key).collect::<Vec<_>>();
    let edited = format!(
        "use x::y;\n\n{}",
        SETTLE.replace("let inner", "h();\nlet k")
    );
    assert_eq!(keys(&edited), keys(SETTLE));
}

fn key() -> String {
    find(SETTLE)[2].key()
}

#[test]
fn a_survivor_is_listed_with_its_reason() {
    let (mutant, other) = (&find(SETTLE)[2], &find(SETTLE)[3]);
    let list = Survivors::parse(&format!("# why\n\n{}: loom sees no clock\n", key())).unwrap();
    assert_eq!(list.reason(mutant), Some("loom sees no clock"));
    assert!(list.problem(mutant, Fate::Survived).is_none());
    assert!(list.problem(other, Fate::Survived).is_some());
    assert!(list.problem(other, Fate::Caught).is_none());
    // It is caught by now.
    assert!(list.problem(mutant, Fate::Caught).is_some());
    assert!(list.problem(mutant, Fate::Timeout).is_some());
}

#[test]
fn a_line_without_words_or_a_line_twice_is_an_error() {
    assert!(Survivors::parse(&key()).is_err());
    assert!(Survivors::parse(&format!("{}: ", key())).is_err());
    assert!(Survivors::parse(&format!("{}: equivalent", key())).is_err());
    let line = format!("{}: loom sees no clock\n", key());
    assert!(Survivors::parse(&line.repeat(2)).is_err());
    assert!(Survivors::parse(&line).is_ok());
}

#[test]
fn a_listed_place_that_is_gone_is_stale() {
    let list = Survivors::parse(&format!("{}: loom sees no clock", key())).unwrap();
    let read = |text: &'static str| move |_: &Path| Some(text.to_owned());
    assert!(list.stale(read(SETTLE)).is_empty());
    assert_eq!(list.stale(read("fn f() {}")).len(), 1);
    assert_eq!(list.stale(|_| None).len(), 1);
    // Only files that were looked at are held against it.
    assert!(list.gone(&[Path::new("src/other.rs")], &[]).is_empty());
    assert_eq!(list.gone(&[Path::new(PATH)], &[]).len(), 1);
}

#[test]
fn a_file_is_judged_by_what_bears_its_name_or_its_folders() {
    let root = Path::new("..").canonicalize().unwrap();
    let package = |name: &str| Package {
        name: name.into(),
        dir: root.join("crates").join(name),
        published: true,
        features: [].into(),
        dependencies: Vec::new(),
    };
    let judges = |name: &str, file: &str| {
        let path = PathBuf::from(format!("crates/{name}/src/{file}"));
        let judges = Judges::of(&package(name), &root, &path);
        (judges.tests.join(" "), judges.models.join(" "))
    };
    let both = |tests: &str, models: &str| (tests.to_owned(), models.to_owned());
    assert_eq!(judges("pirn-sync", "lock.rs"), both("lock", "lock"));
    assert_eq!(judges("pirn-sync", "lock/cell.rs"), both("lock", "lock"));
    assert_eq!(
        judges("pirn-executor", "pool/idle.rs"),
        both("pool", "idle pool")
    );
    assert_eq!(judges("pirn-core", "report.rs"), both("", ""));
}

#[test]
fn the_first_failure_is_found_in_what_a_test_prints() {
    let output = "running 2 tests\ntest a ... ok\ntest b::c - should panic ... FAILED\ntest d ...";
    assert_eq!(judge::failed(output), Some("b::c"));
    assert_eq!(judge::failed("test a ... ok\n"), None);
    assert_eq!(judge::failed("test a ... FAILED"), None);
}

#[test]
fn what_is_known_outlives_the_run_until_it_is_forgotten() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weaken-results");
    let _ = std::fs::remove_file(&path);
    let outcome = Outcome {
        fate: Fate::Caught,
        by: "loom lock::three".into(),
        seconds: 1.5,
    };
    let mut results = Results::load(&path, false).unwrap();
    results.add(7, outcome).unwrap();
    let known = Results::load(&path, false).unwrap();
    let known = known.get(7).unwrap();
    assert_eq!(
        (known.fate, known.by.as_str()),
        (Fate::Caught, "loom lock::three")
    );
    assert!(Results::load(&path, true).unwrap().get(7).is_none());
    assert!(Results::load(&path, false).unwrap().get(7).is_none());
}

#[test]
fn what_decides_a_fate_decides_its_hash() {
    let beside = ["a test".to_owned()];
    assert_eq!(judge::hash("x", &beside), judge::hash("x", &beside));
    assert_ne!(judge::hash("x", &beside), judge::hash("y", &beside));
    assert_ne!(
        judge::hash("x", &beside),
        judge::hash("x", &["a model".into()])
    );
}

#[test]
fn what_does_not_compile_does_not_count() {
    let mut tally = Tally::default();
    assert_eq!(tally.per_cent(), 100.0);
    for fate in [
        Fate::Caught,
        Fate::Timeout,
        Fate::Survived,
        Fate::Unviable,
        Fate::Caught,
    ] {
        tally.add(fate);
    }
    assert_eq!(tally.per_cent(), 75.0);
    assert_eq!(Kind::ALL.map(Kind::name), ["ordering", "wake", "hand-over"]);
}
