//! Scenarios over streams that do what networks do, in memory and on the loopback interface.

use std::net;

use tokio::net::{TcpListener, TcpStream};

mod accepting;
mod cancellation;
mod connecting;
mod deadlines;
mod drive;
mod ending;
mod faults;
mod held_back;
mod streams;
mod tcp;

/// Two ends of a TCP connection: the one under test, and a plain socket for a peer that is written by hand.
async fn tcp_pair() -> (net::TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let peer = net::TcpStream::connect(address).expect("connected");
    (peer, listener.accept().await.expect("accepted").0)
}
