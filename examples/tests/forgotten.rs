//! What the compiler says where an `.await` was forgotten, or stands where none can.
//!
//! Python says some of that as a program runs, as a warning or a `TypeError`, and some never. The
//! words are those of the compiler that the workspace is developed with; where another one says it
//! otherwise, `TRYBUILD=overwrite` writes its words down.

#[test]
fn the_compiler_names_the_await_that_is_forgotten() {
    trybuild::TestCases::new().compile_fail("tests/forgotten/*.rs");
}
