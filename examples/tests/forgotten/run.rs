//! Nor run.

fn main() {
    pirn::run(42);
}
