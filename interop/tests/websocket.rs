//! WebSockets by async-tungstenite over our socket.

use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketStream, accept_async, client_async};
use futures::StreamExt;
use pirn::CancelToken;
use pirn::net::{TcpListener, TcpStream};
use std::net::SocketAddr;

async fn connect(address: SocketAddr) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (socket, _response) = client_async(format!("ws://{address}/"), stream)
        .await
        .unwrap();
    socket
}

/// Sends back what comes, until the client closes.
async fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

#[test]
fn what_is_sent_comes_back_to_each_of_many_clients() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr();
        let ended = pirn::group(async |group| {
            for _ in 0..5 {
                group.spawn(async move {
                    let mut socket = connect(address).await;
                    for length in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
                        let message = Message::binary(vec![7; length]);
                        socket.send(message.clone()).await?;
                        assert_eq!(socket.next().await.unwrap()?, message);
                    }
                    socket.close(None).await?;
                    // The other side's answer, and the end.
                    while let Some(message) = socket.next().await {
                        assert!(message?.is_close());
                    }
                    Ok(())
                });
            }
            for _ in 0..5 {
                group.spawn(echo(listener.accept().await?.0));
            }
            Ok::<_, Error>(())
        });
        ended.await.unwrap();
    });
}

#[test]
fn a_connection_that_is_cancelled_says_good_bye() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr();
        let token = CancelToken::new();
        let server = async {
            let socket = accept_async(listener.accept().await?.0).await?;
            let listen = async |socket: &mut WebSocketStream<TcpStream>| {
                while let Some(message) = socket.next().await {
                    message?;
                }
                Ok::<_, Error>(())
            };
            let close = async |mut socket: WebSocketStream<TcpStream>| {
                socket.close(None).await.unwrap();
            };
            pirn::with_resource(socket, listen, close).await
        };
        let client = async {
            let mut socket = connect(address).await;
            token.cancel("the server goes");
            let last = socket.next().await.unwrap();
            (last, socket.next().await.is_none())
        };
        let (served, (last, ended)) = futures::join!(token.run_until_cancelled(server), client);
        assert_eq!(served.unwrap_err().text(), "the server goes");
        assert!(last.unwrap().is_close());
        assert!(ended);
    });
}
