//! The tests of the guide's page on virtual time.

use pirn::sync::Queue;
use pirn::{sleep, spawn};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Orders come every twenty minutes, three in all; after an hour the shop closes.
async fn a_day(closes_after_the_last: bool) {
    let orders = Arc::new(Queue::bounded(8));
    let customer = spawn({
        let orders = Arc::clone(&orders);
        async move {
            for order in 0..3 {
                sleep(20 * MINUTE).await;
                orders.put(order).await.expect("the shop is open");
            }
        }
    });
    if closes_after_the_last {
        customer.await.unwrap();
        orders.close();
    } else {
        sleep(59 * MINUTE).await; // last orders, please
        sleep(MINUTE).await;
        orders.close();
        customer.await.unwrap();
    }
    assert_eq!(orders.len(), 3);
}

#[pirn::test]
async fn an_hour_takes_no_time() {
    a_day(false).await;
    assert_eq!(pirn::now().as_nanos(), 3_600_000_000_000);
}

#[pirn::test(seeds = 100)]
#[should_panic(expected = "the shop is open")]
async fn some_schedule_closes_the_shop_in_the_customers_face() {
    a_day(false).await;
}

#[pirn::test(seeds = 100)]
async fn no_schedule_does_where_the_shop_waits() {
    a_day(true).await;
}
