//! How `ci` finds the README's commands.

use xtask::ci::readme_commands;

const README: &str = "\
# pirn

<!-- ci:test -->
```sh
cargo xtask test
```

<!-- ci:main -->

```sh
cargo run --release --example fetch

cargo run --release --example fetch -- --json
```
<!-- ci:none -->
Some text.
```sh
not this
```
";

#[test]
fn the_commands_are_those_of_the_block_below_the_marker() {
    assert_eq!(
        readme_commands(README, "ci:test"),
        Ok(vec!["cargo xtask test".into()])
    );
    assert_eq!(
        readme_commands(README, "ci:main").map(|lines| lines.len()),
        Ok(2)
    );
}

#[test]
fn a_missing_marker_or_block_is_an_error() {
    assert!(readme_commands(README, "ci:bench").is_err());
    assert!(readme_commands(README, "ci:none").is_err());
    assert!(readme_commands("<!-- ci:test -->\n```sh\n```\n", "ci:test").is_err());
}
