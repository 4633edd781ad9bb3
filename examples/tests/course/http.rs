//! HTTP, over a network in memory.

use pirn_examples::trace;

#[allow(dead_code, reason = "its main")]
#[path = "../../course/52_get.rs"]
mod get;

#[test]
fn pages_are_got_one_after_another_over_one_connection_and_at_once_over_three() {
    assert_eq!(
        trace(get::program()),
        [
            "1.00 this is /warp",
            "2.00 this is /weft",
            "2.00 connections: 1",
            "3.00 this is /warp",
            "3.00 this is /weft",
            "3.00 this is /hem",
            "3.00 connections: 3"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/53_json.rs"]
mod json;

#[test]
fn an_order_is_posted_as_json_and_refused_without_its_token() {
    assert_eq!(
        trace(json::program()),
        [
            "0.00 number 1: 36",
            "0.00 without a token: 401 Unauthorized"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/54_http_errors.rs"]
mod http_errors;

#[test]
fn each_failure_is_told_apart_and_a_slow_page_ends_at_the_limit() {
    assert_eq!(
        trace(http_errors::program()),
        [
            "0.00 site/page: Some(\"a page\")",
            "0.00 status 404 Not Found: give up",
            "0.00 site/none: None",
            "0.00 status 500 Internal Server Error: try again later",
            "0.00 site/broken: None",
            "2.00 total timeout after 2s: try again",
            "2.00 site/slow: None",
            "2.00 connection refused: give up",
            "2.00 site:81/: None",
            "2.00 site/page: invalid URL (give an absolute URL that begins with http:// or https://)"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/55_hundred_urls.rs"]
mod hundred_urls;

#[test]
fn a_hundred_pages_twenty_at_once_take_five_seconds_and_each_has_a_result_or_an_error() {
    assert_eq!(
        trace(hundred_urls::program()),
        [
            "5.00 http://site/07: status 410 Gone",
            "5.00 http://site/17: status 410 Gone",
            "5.00 http://site/27: status 410 Gone",
            "5.00 http://site/37: status 410 Gone",
            "5.00 http://site/47: status 410 Gone",
            "5.00 http://site/57: status 410 Gone",
            "5.00 http://site/67: status 410 Gone",
            "5.00 http://site/77: status 410 Gone",
            "5.00 http://site/87: status 410 Gone",
            "5.00 http://site/97: status 410 Gone",
            "5.00 270 bytes",
            "5.00 20 at once at most"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/56_crawler.rs"]
mod crawler;

#[test]
fn a_crawler_gets_each_page_once_three_at_once_and_ends_by_itself() {
    assert_eq!(
        trace(crawler::program()),
        [
            "1.00 / leads to /cloth /tools",
            "2.00 /cloth leads to / /linen /wool /silk",
            "2.00 /tools leads to /loom /cloth",
            "3.00 /linen leads to /",
            "3.00 /wool leads to /",
            "3.00 /silk: status 404 Not Found",
            "4.00 /loom leads to /",
            "4.00 7 pages"
        ]
    );
}
