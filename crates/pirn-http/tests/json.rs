//! Bodies as JSON.

mod support;

use hyper::body::Incoming;
use hyper::{Request, Response};
use pirn_http::{ErrorKind, Session};
use serde::{Deserialize, Serialize};
use support::{body_of, response, with_server};

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Point {
    x: i32,
    y: i32,
}

#[test]
fn json_goes_both_ways() {
    async fn swap(request: Request<Incoming>) -> Response<String> {
        assert_eq!(request.headers()["content-type"], "application/json");
        let Point { x, y } = serde_json::from_str(&body_of(request).await).unwrap();
        response(200, &serde_json::to_string(&Point { x: y, y: x }).unwrap())
    }
    with_server(swap, |url| async move {
        let session = Session::new();
        let send = || session.post(&url).json(&Point { x: 1, y: 2 }).send();
        let point: Point = send().await.unwrap().json().await.unwrap();
        assert_eq!(point, Point { x: 2, y: 1 });
        let error = send().await.unwrap().json::<Vec<u8>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    });
}
