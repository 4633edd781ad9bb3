//! tokio-postgres over our socket, without a tokio runtime, against a real server.

use pirn::net::TcpStream;
use pirn_compat::ForTokio;
use pirn_interop::{Kind, Server};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Connection, NoTls};

type Wire = ForTokio<TcpStream>;

async fn connect(
    address: SocketAddr,
) -> (Client, Connection<Wire, tokio_postgres::tls::NoTlsStream>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut config = Config::new();
    config.user("pirn").dbname("postgres");
    config
        .connect_raw(ForTokio::new(stream), NoTls)
        .await
        .unwrap()
}

#[test]
fn queries_are_sent_without_waiting_for_one_another() {
    let Some(server) = Server::start(Kind::Postgres) else {
        return;
    };
    let address = server.address();
    pirn::run(async move {
        let (client, connection) = connect(address).await;
        let sum = pirn::group(async |group| {
            // It ends as the client is dropped.
            group.spawn(connection);
            let query = async |number: i32| {
                let row = client.query_one("select $1::int4 + 1", &[&number]).await?;
                row.try_get::<_, i32>(0)
            };
            let rows = futures::future::try_join_all((0..100).map(query)).await?;
            drop(client);
            Ok::<_, tokio_postgres::Error>(rows.into_iter().sum::<i32>())
        });
        assert_eq!(sum.await.unwrap(), 5050);
    });
}

#[test]
fn a_time_limit_ends_the_wait_and_the_server_can_be_told() {
    let Some(server) = Server::start(Kind::Postgres) else {
        return;
    };
    let address = server.address();
    pirn::run(async move {
        let (client, connection) = connect(address).await;
        let connection = pirn::spawn(connection);
        let slow = client.query("select pg_sleep(3600)", &[]);
        assert!(
            pirn::timeout(Duration::from_millis(20), slow)
                .await
                .is_err()
        );
        // The query is given up here, and goes on there, until the server is told.
        let stream = ForTokio::new(TcpStream::connect(address).await.unwrap());
        client
            .cancel_token()
            .cancel_query_raw(stream, NoTls)
            .await
            .unwrap();
        let row = client.query_one("select 7", &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 7);
        drop(client);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn what_the_database_refuses_is_an_error() {
    let Some(server) = Server::start(Kind::Postgres) else {
        return;
    };
    let address = server.address();
    pirn::run(async move {
        let (client, connection) = connect(address).await;
        let connection = pirn::spawn(connection);
        let error = client.simple_query("select 1 / 0").await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::DIVISION_BY_ZERO));
        drop(client);
        connection.await.unwrap().unwrap();
    });
}
