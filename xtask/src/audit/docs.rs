//! What the documentation of public items must have: an example that asserts something, and for
//! what waits, what dropping it does.

use super::items::{Item, Items, Kind};
use crate::source::is_word;

/// Checks the items of a crate.
pub fn check(items: &Items) -> Vec<String> {
    let mut breaches = Vec::new();
    for item in &items.list {
        let mut breach = |what: &str| {
            breaches.push(format!("{}: `{}` {what}", item.place(), item.name));
        };
        let future = future(items, item);
        if let Some(of) = &future {
            let said = of.iter().any(|docs| says_what_dropping_does(docs));
            if !said {
                breach("waits, and has no `# Cancel safety` that says what dropping it does");
            }
        }
        let says = |other: &Item| {
            let gives = other.name == item.name || given(other) == item.name;
            gives && says_what_dropping_does(&other.docs)
        };
        if items
            .futures
            .contains(&(item.file.clone(), item.name.clone()))
            && item.kind == Kind::Type
            && !items.list.iter().any(says)
        {
            breach("is a future, and neither it nor what gives it has a `# Cancel safety`");
        }
        let taught = match item.kind {
            Kind::Function | Kind::Macro => has_example(&item.docs),
            Kind::Type | Kind::Trait => is_shown(items, item),
            Kind::Method => future.is_none() || is_called(items, item),
            Kind::Other => true,
        };
        if !taught {
            breach("has no example that asserts something");
        }
    }
    breaches
}

/// Whether a type or trait has an example: its own, one of its functions', or that of what its first
/// paragraph links to, as the future of a function links to it.
fn is_shown(items: &Items, item: &Item) -> bool {
    if page(items, item)
        .iter()
        .any(|other| has_example(&other.docs))
    {
        return true;
    }
    linked(items, item)
        .into_iter()
        .any(|other| match other.kind {
            Kind::Method => is_called(items, other),
            _ => other.name != item.name && has_example(&other.docs),
        })
}

/// What the first paragraph on an item links to.
fn linked<'a>(items: &'a Items, item: &Item) -> Vec<&'a Item> {
    let paragraph = item.docs.split("\n\n").next().unwrap_or_default();
    let links = paragraph.split('[').skip(1).filter_map(|rest| {
        let (label, after) = rest.split_once(']')?;
        let path = after
            .strip_prefix('(')
            .and_then(|rest| rest.split(')').next());
        Some(path.unwrap_or(label).trim_matches(['`', '(', ')']))
    });
    let mut found = Vec::new();
    for path in links {
        if path.split('#').next() == Some("self") {
            found.extend(items.pages.iter().filter(|page| page.file == item.file));
        }
        let words: Vec<&str> = path.split("::").collect();
        let last = words[words.len() - 1];
        let owner = words.iter().rev().nth(1).copied().unwrap_or_default();
        let is_alias = |other: &Item| other.kind == Kind::Other && other.name == owner;
        let aliased = items.list.iter().any(is_alias);
        let last_two = words[words.len().saturating_sub(2)..].join("::");
        let list = items.list.iter();
        found.extend(list.filter(|other| {
            let name = other.name.rsplit("::").next().unwrap_or_default();
            match other.kind {
                Kind::Method => other.name == last_two || (aliased && name == last),
                _ => name == last,
            }
        }));
    }
    found
}

/// Whether a function of a type has an example: its own, or one that calls it on the page of its type
/// or of what that links to.
fn is_called(items: &Items, item: &Item) -> bool {
    let (owner, name) = item.name.split_once("::").unwrap_or_default();
    let calls = [
        format!(".{name}("),
        format!("{owner}::{name}("),
        format!(".{name}::<"),
        // Of a trait, it is enough to see how it is implemented.
        format!("fn {name}("),
        format!("fn {name}<"),
    ];
    let page = page(items, item);
    let types = page.iter().filter(|other| other.name == owner);
    let links = types.flat_map(|other| linked(items, other));
    has_example(&item.docs)
        || page.iter().copied().chain(links).any(|other| {
            let mut examples = examples(&other.docs);
            examples.any(|code| calls.iter().any(|call| code.contains(call)))
        })
}

/// The type that an item is or belongs to, and its functions. Of several types of one name, those of
/// the same module.
fn page<'a>(items: &'a Items, item: &Item) -> Vec<&'a Item> {
    let owner = |item: &Item| item.name.split("::").next().unwrap_or_default().to_owned();
    let module = |item: &Item| {
        let mut words = item
            .file
            .components()
            .skip_while(|word| word.as_os_str() != "src");
        let module = words.nth(1).map(|word| word.as_os_str().to_owned());
        module.map(|module| module.to_string_lossy().trim_end_matches(".rs").to_owned())
    };
    let of = owner(item);
    let types = items
        .list
        .iter()
        .filter(|other| other.kind == Kind::Type && other.name == of);
    let is_alone = types.count() < 2;
    let list = items.list.iter();
    list.filter(|other| owner(other) == of && (is_alone || module(other) == module(item)))
        .collect()
}

/// The documentation that may speak of it, if a function gives a future: its own, and that of the
/// future's type.
fn future<'a>(items: &'a Items, item: &'a Item) -> Option<Vec<&'a str>> {
    if !matches!(item.kind, Kind::Function | Kind::Method) {
        return None;
    }
    let kind = given(item);
    // What makes a future is not what waits.
    if item.name.starts_with(&format!("{kind}::")) {
        return None;
    }
    let is_here =
        |other: &Item| other.kind == Kind::Type && other.name == kind && other.file == item.file;
    // Of several types of one name, the one beside the function.
    let beside = items.list.iter().any(is_here);
    let mut futures = items.futures.iter();
    let named = futures.any(|(file, name)| *name == kind && (!beside || *file == item.file));
    let opaque = ["impl Future", "dyn Future"]
        .iter()
        .any(|words| item.returns.contains(words));
    if !(item.is_async || named || opaque) {
        return None;
    }
    let types = || {
        let list = items.list.iter();
        list.filter(|other| named && other.kind == Kind::Type && other.name == kind)
    };
    let docs = types()
        .filter(|other| !beside || other.file == item.file)
        .map(|other| other.docs.as_str());
    Some(docs.chain([item.docs.as_str()]).collect())
}

/// The type that a function returns, by the first of its names.
fn given(item: &Item) -> String {
    let chars = item.returns.chars();
    chars.take_while(|&c| is_word(c)).collect()
}

fn says_what_dropping_does(docs: &str) -> bool {
    docs.lines().any(|line| line == "# Cancel safety")
}

/// Whether a block that rustdoc compiles asserts something.
fn has_example(docs: &str) -> bool {
    examples(docs).next().is_some()
}

/// The blocks that rustdoc compiles and that assert something.
fn examples(docs: &str) -> impl Iterator<Item = &str> {
    let blocks = docs.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| {
        let (language, code) = block.split_once('\n').unwrap_or((block, ""));
        (super::readme::is_rust(language) && code.contains("assert")).then_some(code)
    })
}
