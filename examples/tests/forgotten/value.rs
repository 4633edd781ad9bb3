//! A future is not its value.

async fn length() -> usize {
    5
}

fn main() {
    pirn::run(async {
        let length: usize = length();
        println!("{length}");
    });
}
