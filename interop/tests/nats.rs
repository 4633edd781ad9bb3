//! async-nats, which does not work without tokio, against a real server.

use futures::StreamExt;
use pirn_compat::TokioContext;
use pirn_interop::{Kind, Server};
use std::str;
use std::time::Duration;

#[test]
fn messages_are_published_and_received_and_a_time_limit_ends_the_wait_for_more() {
    let Some(server) = Server::start(Kind::Nats) else {
        return;
    };
    let tokio = TokioContext::start().unwrap();
    let address = server.address().to_string();
    pirn::run(tokio.run(async move {
        let client = async_nats::connect(address).await.unwrap();
        let mut subscriber = client.subscribe("loom").await.unwrap();
        client.flush().await.unwrap();
        let sum = pirn::group(async |group| {
            for number in 0..100_u32 {
                let client = client.clone();
                group.spawn(async move {
                    let text = number.to_string();
                    client.publish("loom", text.into()).await
                });
            }
            let mut sum = 0;
            for _ in 0..100 {
                let message = subscriber.next().await.unwrap();
                sum += str::from_utf8(&message.payload)
                    .unwrap()
                    .parse::<u32>()
                    .unwrap();
            }
            Ok(sum)
        });
        assert_eq!(sum.await.unwrap(), 4950);
        let more = pirn::timeout(Duration::from_millis(20), subscriber.next());
        assert!(more.await.is_err());
    }));
}
