//! The registry on the loopback: its index, and what it takes and refuses.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use xtask_release::registry::{
    Registry,
    index::{Upload, checksum, index_path, line_of},
    locked::{Locked, packed},
};

#[test]
fn index_files_lie_in_folders_by_their_names() {
    let places = ["a", "ab", "abc", "abcd", "Pirn-Sync"].map(index_path);
    assert_eq!(places, ["1", "2", "3/a", "ab/cd", "pi/rn"]);
}

#[test]
fn the_checksum_is_sha_256() {
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(checksum(b"abc"), known);
}

#[test]
fn a_crate_that_was_fetched_lies_beside_its_sources() {
    let manifest = Path::new("/home/registry/src/somewhere-1/loom-0.7.2/Cargo.toml");
    let wanted = Path::new("/home/registry/cache/somewhere-1/loom-0.7.2.crate");
    assert_eq!(packed(manifest).as_deref(), Some(wanted));
    assert_eq!(packed(Path::new("Cargo.toml")), None);
}

#[test]
fn an_upload_says_in_other_words_what_the_index_says() {
    let upload = Upload::parse(&upload("pirn", "0.1.0", b"crate")).unwrap();
    let line: Value = serde_json::from_str(&upload.line).unwrap();
    assert_eq!(line["vers"], "0.1.0");
    assert_eq!(line["cksum"], checksum(b"crate"));
    assert_eq!(line["deps"][0]["name"], "pirn-core");
    assert_eq!(line["deps"][0]["req"], "^0.1.0");
    // What the manifest calls `log` is `tracing`.
    assert_eq!(line["deps"][1]["name"], "log");
    assert_eq!(line["deps"][1]["package"], "tracing");
    assert_eq!(upload.tarball, b"crate");
}

#[test]
fn an_upload_that_was_cut_off_is_an_error() {
    let whole = upload("pirn", "0.1.0", b"crate");
    for length in 0..whole.len() {
        assert!(Upload::parse(&whole[..length]).is_err(), "{length}");
    }
    let more = [&whole[..], b"!"].concat();
    assert!(Upload::parse(&more).is_err());
}

#[test]
fn a_crate_of_others_is_described_as_cargo_metadata_has_it() {
    let package = json!({
        "name": "hyper", "version": "1.8.0", "features": {"http1": ["dep:httparse"]}, "links": null,
        "rust_version": "1.63", "dependencies": [
            {"name": "httparse", "req": "^1.9", "kind": null, "rename": null, "optional": true,
             "uses_default_features": true, "features": ["std"], "target": null, "registry": null},
            {"name": "tokio", "req": "^1", "kind": "dev", "rename": "rt", "optional": false,
             "uses_default_features": false, "features": [], "target": "cfg(unix)", "registry": null},
        ],
    });
    let line: Value = serde_json::from_str(&line_of(&package, "0af")).unwrap();
    assert_eq!(line["cksum"], "0af");
    assert_eq!(line["deps"][0]["kind"], "normal");
    assert_eq!(line["deps"][0]["default_features"], true);
    // Features may name what only tests use, so that is told, too.
    assert_eq!(line["deps"][1]["kind"], "dev");
    assert_eq!(line["deps"][1]["name"], "rt");
    assert_eq!(line["deps"][1]["package"], "tokio");
}

#[test]
fn what_the_lock_file_has_is_in_the_index_with_its_checksum() {
    let metadata = r#"{"packages":[
        {"name":"loom","version":"0.7.2","source":"registry+somewhere","dependencies":[],"features":{},
         "manifest_path":"/home/registry/src/somewhere-1/loom-0.7.2/Cargo.toml"},
        {"name":"pirn","version":"0.1.0","source":null}]}"#;
    let lock = "version = 4\n[[package]]\nname = \"loom\"\nversion = \"0.7.2\"\nchecksum = \"0af\"\n\
                [[package]]\nname = \"pirn\"\nversion = \"0.1.0\"\n";
    let locked = Locked::parse(metadata, lock).unwrap();
    let lines: Vec<&str> = locked.lines("loom").collect();
    let line: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!((lines.len(), &line["cksum"]), (1, &json!("0af")));
    assert_eq!(locked.lines("pirn").count(), 0, "what is ours is published");
    assert!(Locked::parse(metadata, "version = 4\n").is_err());
}

#[test]
fn what_was_published_is_in_the_index_and_can_be_had() {
    let registry = Registry::start(Locked::default()).unwrap();
    assert_eq!(get(&registry, "/index/pi/rn/pirn").0, 404);
    assert_eq!(put(&registry, "0.1.0", Some("token")).0, 200);
    let (status, line) = get(&registry, "/index/pi/rn/pirn");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((status, &line["vers"]), (200, &json!("0.1.0")));
    let (status, packed) = get(&registry, "/crates/pirn/0.1.0/download");
    assert_eq!((status, packed.as_str()), (200, "crate"));
    assert_eq!(get(&registry, "/crates/pirn/0.1.1/download").0, 404);
    assert_eq!(
        get(&registry, "/index/pirn").0,
        404,
        "in its own folder alone"
    );
    assert_eq!(registry.published(), ["pirn 0.1.0"]);
}

#[test]
fn an_upload_needs_a_token_and_a_new_version() {
    let registry = Registry::start(Locked::default()).unwrap();
    assert_eq!(put(&registry, "0.1.0", None).0, 403);
    assert_eq!(put(&registry, "0.1.0", Some("token")).0, 200);
    let (status, said) = put(&registry, "0.1.0", Some("token"));
    assert!(status == 400 && said.contains("already uploaded"), "{said}");
}

#[test]
fn a_registry_may_take_so_many_and_no_more() {
    let registry = Registry::start(Locked::default()).unwrap();
    registry.take_only(Some(1));
    assert_eq!(put(&registry, "0.1.0", Some("token")).0, 200);
    assert_eq!(put(&registry, "0.1.1", Some("token")).0, 503);
    registry.take_only(None);
    assert_eq!(put(&registry, "0.1.1", Some("token")).0, 200);
}

#[test]
fn an_index_may_be_late() {
    let registry = Registry::start(Locked::default()).unwrap();
    registry.lag(Duration::from_secs(3600));
    assert_eq!(put(&registry, "0.1.0", Some("token")).0, 200);
    assert_eq!(get(&registry, "/index/pi/rn/pirn").0, 404);
    assert_eq!(
        put(&registry, "0.1.0", Some("token")).0,
        400,
        "it is there all the same"
    );
}

/// What `cargo publish` would send.
fn upload(name: &str, version: &str, tarball: &[u8]) -> Vec<u8> {
    let dependency = |name: &str, known_as: Option<&str>| {
        json!({
            "name": name, "version_req": "^0.1.0", "features": [], "optional": false,
            "default_features": true, "target": null, "kind": "normal", "registry": null,
            "explicit_name_in_toml": known_as,
        })
    };
    let json = json!({
        "name": name, "vers": version, "features": {}, "links": null, "rust_version": "1.85",
        "deps": [dependency("pirn-core", None), dependency("tracing", Some("log"))],
    });
    let json = json.to_string();
    let mut body = Vec::new();
    for part in [json.as_bytes(), tarball] {
        body.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        body.extend(part);
    }
    body
}

fn put(registry: &Registry, version: &str, token: Option<&str>) -> (u16, String) {
    let body = upload("pirn", version, b"crate");
    let token = token.map_or(String::new(), |token| format!("Authorization: {token}\r\n"));
    let head = format!(
        "PUT /api/v1/crates/new HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: {}\r\n\r\n",
        body.len()
    );
    exchange(registry, &[head.as_bytes(), &body].concat())
}

fn get(registry: &Registry, path: &str) -> (u16, String) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    exchange(registry, head.as_bytes())
}

/// The status and the body of the answer.
fn exchange(registry: &Registry, request: &[u8]) -> (u16, String) {
    let index = registry.index();
    let host = index.strip_prefix("sparse+http://").unwrap();
    let mut stream = TcpStream::connect(host.split('/').next().unwrap()).unwrap();
    stream.write_all(request).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}
