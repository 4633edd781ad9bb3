//! Exists for the manifest's `links` key alone: cargo then refuses two versions of pirn-core, and
//! with them two copies of its thread-local, in one program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
