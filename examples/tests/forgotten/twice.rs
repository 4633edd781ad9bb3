//! What was awaited is used up.

async fn length() -> usize {
    5
}

fn main() {
    pirn::run(async {
        let length = length();
        println!("{}", length.await + length.await);
    });
}
