//! Echo server on soketto, buffered as in its own example, which checks text here because soketto leaves that to its user.
//! `--batch` sends the replies to everything that is already received in one flush.
#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures_util::io::{BufReader, BufWriter};
use soketto::Data;
use soketto::connection::Error;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

fn main() -> harness::Outcome {
    let batch = harness::has_flag("--batch");
    harness::run_tokio(move |stream| async move {
        let stream = BufWriter::with_capacity(16 * 1024, stream.compat());
        let mut server = Server::new(BufReader::with_capacity(8 * 1024, stream));
        let key = server.receive_request().await?.key();
        let accept = Response::Accept {
            key,
            protocol: None,
        };
        server.send_response(&accept).await?;
        let (mut sender, mut receiver) = server.into_builder().finish();
        let mut message = Vec::new();
        loop {
            message.clear();
            let received = if batch {
                let mut receive = pin!(receiver.receive_data(&mut message));
                let ready = poll_fn(|cx| match receive.as_mut().poll(cx) {
                    Poll::Ready(received) => Poll::Ready(Some(received)),
                    Poll::Pending => Poll::Ready(None),
                });
                match ready.await {
                    Some(received) => received,
                    None => {
                        sender.flush().await?;
                        receive.await
                    }
                }
            } else {
                receiver.receive_data(&mut message).await
            };
            match received {
                Ok(Data::Binary(_)) => sender.send_binary_mut(&mut message).await?,
                Ok(Data::Text(_)) => sender.send_text(std::str::from_utf8(&message)?).await?,
                Err(Error::Closed) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if !batch {
                sender.flush().await?;
            }
        }
    })
}
