//! Scenarios over streams that do what networks do, in memory and on the loopback interface.

use std::net::{TcpListener, TcpStream};

mod accepting;
mod chopped;
mod connecting;
mod deadlines;
mod ending;
mod faults;
mod reading;
mod sending;
mod streams;
mod tcp;
mod would_block;

/// Two ends of a TCP connection.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("accepted").0)
}
