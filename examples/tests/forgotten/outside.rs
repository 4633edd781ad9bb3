//! Only async code awaits.

async fn length() -> usize {
    5
}

fn main() {
    println!("{}", length().await);
}
