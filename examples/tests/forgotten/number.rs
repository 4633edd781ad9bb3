//! Not everything can be awaited.

fn main() {
    pirn::run(async {
        5.await;
    });
}
