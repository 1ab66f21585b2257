//! A server at a distance: a proxy on loopback that holds every byte for a while, without slowing the stream.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Starts the proxy; each direction takes `one_way`. Returns its address; it runs as long as the runtime.
pub async fn start(server: &str, one_way: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("because loopback has free ports");
    let address = listener.local_addr().expect("because it listens").to_string();
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(&server).await else {
                continue;
            };
            near.set_nodelay(true)
                .and(far.set_nodelay(true))
                .expect("because both are connected");
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::spawn(carry(near_in, far_out, one_way));
            tokio::spawn(carry(far_in, near_out, one_way));
        }
    });
    address
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, after: Duration) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    tokio::spawn(async move {
        while let Some((due, bytes)) = queued.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if queue
            .send((Instant::now() + after, buffer[..length].to_vec()))
            .await
            .is_err()
        {
            return;
        }
    }
}
