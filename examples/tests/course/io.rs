//! Files and sockets: for real, so without the times.

use pirn_examples::lines;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/50_files.rs"]
mod files;

#[test]
fn files_are_read_together_and_one_is_written_and_an_error_names_its_file() {
    let said = lines(files::program());
    let (error, book) = said.split_last().unwrap();
    assert_eq!(book, ["About the warp. About the weft. About the hem."]);
    assert!(
        error.starts_with("read from no-such-folder/index.txt: "),
        "{error}"
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/51_lines.rs"]
mod line_server;

#[test]
fn a_server_answers_each_client_line_by_line_and_closes() {
    assert_eq!(
        lines(line_server::program()),
        ["WARP! WEFT! HEM!", "closed"]
    );
}
