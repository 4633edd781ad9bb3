//! `#[pirn::main]` and `#[pirn::test]`: an `async fn` made into an ordinary one that runs it.
//!
//! Depends on nothing and emits paths into `pirn`. The function stays as it was written, inside
//! the new one, so that the compiler's messages point into it:
//!
//! ```text
//! #[pirn::main]                        fn main() -> Result<(), Error> {
//! async fn main()                          async fn main() -> Result<(), Error> { … }
//!     -> Result<(), Error> { … }   ⟶       ::pirn::__private::main(::pirn::Runtime::builder(), main)
//!                                      }
//! ```

#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Runs an `async fn main` on a pirn runtime.
///
/// Without arguments as `pirn::run`. `#[pirn::main(current_thread)]` runs everything on the main
/// thread; `#[pirn::main(workers = 4)]` chooses the number of worker threads.
///
/// # Examples
///
/// ```
/// #[pirn::main]
/// async fn main() {
///     let seven = pirn::spawn(async { 7 }).await;
///     assert_eq!(seven.unwrap(), 7);
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(args, item, Kind::Main).unwrap_or_else(Error::into_tokens)
}

/// Runs an `async fn` as a test, under virtual time: sleeps cost nothing, and the order is
/// the same each time.
///
/// Needs pirn's feature `test`. Options, separated by commas:
///
/// - `seeds = 100`: runs it under so many schedules, as `pirn::sim::check` does; a failure comes with
///   its seed, the last of its trace and a line that runs it alone (`PIRN_SEED=17 cargo test …`);
///   `PIRN_SEEDS=10000` asks for more of them.
/// - `seed = 7`: shuffles the order of ready tasks by that seed.
/// - `workers = 3`: so many simulated workers that steal from each other.
/// - `start_paused`: the clock stands still until `pirn::sim::advance` moves it.
///
/// It may return what a test may return; with `seeds`, nothing or a `Result`.
///
/// # Examples
///
/// ```
/// #[pirn::test]
/// async fn an_hour_passes_at_once() {
///     pirn::sleep(std::time::Duration::from_secs(3600)).await;
/// }
///
/// #[pirn::test(seeds = 100)]
/// async fn no_schedule_loses_an_item() {
///     let queue = std::sync::Arc::new(pirn::sync::Queue::bounded(1));
///     let puts = queue.clone();
///     let putter = pirn::spawn(async move { puts.put(7).await });
///     assert_eq!(queue.get().await, Ok(7));
///     putter.await.unwrap().unwrap();
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(args, item, Kind::Test).unwrap_or_else(Error::into_tokens)
}

#[derive(Clone, Copy)]
enum Kind {
    Main,
    Test,
}

struct Error {
    span: Span,
    text: &'static str,
}

impl Error {
    fn into_tokens(self) -> TokenStream {
        let text = format!("::core::compile_error!({:?});", self.text);
        let tokens: TokenStream = text.parse().expect("valid tokens");
        tokens
            .into_iter()
            .map(|mut tree| {
                tree.set_span(self.span);
                tree
            })
            .collect()
    }
}

/// The parts of an `async fn` that matter here.
struct Function {
    /// Attributes, visibility and qualifiers before `async`.
    before: Vec<TokenTree>,
    /// `fn`, the name, the parameters, the return type.
    signature: Vec<TokenTree>,
    name: Ident,
    body: Group,
    asyncness: TokenTree,
}

fn expand(args: TokenStream, item: TokenStream, kind: Kind) -> Result<TokenStream, Error> {
    let options = options(args, kind)?;
    let is_many = options.seeds.is_some();
    let function = parse(item)?;

    let mut inside = TokenStream::new();
    inside.extend([function.asyncness]);
    inside.extend(function.signature.clone());
    inside.extend([TokenTree::Group(function.body)]);
    let call = match kind {
        Kind::Main => "::pirn::__private::main",
        Kind::Test if is_many => "::pirn::__private::test_seeds",
        Kind::Test => "::pirn::__private::test",
    };
    inside.extend(call.parse::<TokenStream>().expect("valid tokens"));
    let comma = || [TokenTree::Punct(Punct::new(',', Spacing::Alone))];
    let mut call_args = options.settings;
    if let Kind::Test = kind {
        let name = function.name.to_string();
        call_args.extend(comma());
        call_args.extend([TokenTree::Literal(Literal::string(&name))]);
    }
    if let Some(seeds) = options.seeds {
        call_args.extend(comma());
        call_args.extend([seeds]);
    }
    call_args.extend(comma());
    call_args.extend([TokenTree::Ident(function.name)]);
    inside.extend([TokenTree::Group(Group::new(
        Delimiter::Parenthesis,
        call_args,
    ))]);

    let mut outside = TokenStream::new();
    if let Kind::Test = kind {
        outside.extend(
            "#[::core::prelude::v1::test]"
                .parse::<TokenStream>()
                .expect("valid tokens"),
        );
    }
    outside.extend(function.before);
    outside.extend(function.signature);
    outside.extend([TokenTree::Group(Group::new(Delimiter::Brace, inside))]);
    Ok(outside)
}

fn parse(item: TokenStream) -> Result<Function, Error> {
    let mut before = Vec::new();
    let mut trees = item.into_iter();
    let asyncness = loop {
        match trees.next() {
            Some(TokenTree::Ident(word)) if word.to_string() == "async" => {
                break TokenTree::Ident(word);
            }
            Some(TokenTree::Ident(word)) if word.to_string() == "fn" => {
                let text = "this must be an `async fn`: put `async` before `fn`";
                return Err(Error {
                    span: word.span(),
                    text,
                });
            }
            Some(other) => before.push(other),
            None => {
                return Err(Error {
                    span: Span::call_site(),
                    text: "this attribute stands before an `async fn`",
                });
            }
        }
    };
    let mut signature: Vec<TokenTree> = trees.collect();
    let (name, params) = match &signature[..] {
        [
            TokenTree::Ident(_),
            TokenTree::Ident(name),
            TokenTree::Group(params),
            ..,
        ] => (name.clone(), params),
        [_, TokenTree::Ident(name), ..] => {
            let text = "this function must not be generic: there is nobody to choose the types";
            return Err(Error {
                span: name.span(),
                text,
            });
        }
        _ => {
            return Err(Error {
                span: asyncness.span(),
                text: "this attribute stands before an `async fn`",
            });
        }
    };
    if !params.stream().is_empty() {
        let text = "this function must not have parameters: there is nobody to pass them";
        return Err(Error {
            span: params.span(),
            text,
        });
    }
    let Some(TokenTree::Group(body)) = signature.pop() else {
        return Err(Error {
            span: name.span(),
            text: "this function must have a body",
        });
    };
    Ok(Function {
        before,
        signature,
        name,
        body,
        asyncness,
    })
}

struct Options {
    /// An expression that sets them.
    settings: TokenStream,
    /// Under how many seeds, if there are to be many.
    seeds: Option<TokenTree>,
}

fn options(args: TokenStream, kind: Kind) -> Result<Options, Error> {
    let mut seeds = None;
    let mut expression = String::from(match kind {
        Kind::Main => "::pirn::Runtime::builder()",
        Kind::Test => "::pirn::sim::Sim::new()",
    });
    let mut trees = args.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let span = tree.span();
        let name = tree.to_string();
        let value = match trees.peek() {
            Some(TokenTree::Punct(sign)) if sign.as_char() == '=' => {
                trees.next();
                let Some(value) = trees.next() else {
                    return Err(Error {
                        span,
                        text: "a value is missing after `=`",
                    });
                };
                Some(value)
            }
            _ => None,
        };
        match (kind, &name[..], value) {
            (Kind::Main, "current_thread", None) => expression.push_str(".current_thread()"),
            (Kind::Main, "workers", Some(value)) => {
                expression.push_str(&format!(".workers({value})"));
            }
            (Kind::Test, "seeds", Some(value)) => seeds = Some(value),
            (Kind::Test, "seed", Some(value)) => expression.push_str(&format!(".seed({value})")),
            (Kind::Test, "workers", Some(value)) => {
                expression.push_str(&format!(".workers({value})"));
            }
            (Kind::Test, "start_paused", None) => expression.push_str(".paused()"),
            (Kind::Main, ..) => {
                let text = "the options are `current_thread` and `workers = N`";
                return Err(Error { span, text });
            }
            (Kind::Test, ..) => {
                let text =
                    "the options are `seeds = N`, `seed = N`, `workers = N` and `start_paused`";
                return Err(Error { span, text });
            }
        }
        match trees.next() {
            None => {}
            Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => {}
            Some(other) => {
                return Err(Error {
                    span: other.span(),
                    text: "expected `,` between options",
                });
            }
        }
    }
    Ok(Options {
        settings: expression.parse().expect("valid tokens"),
        seeds,
    })
}
