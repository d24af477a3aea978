//! What a peer that does not read can have us hold.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use ws_async::{Config, Message, WebSocket};
use ws_testkit::{Frame, vectors};

const KIB: usize = 1024;

/// The capacity of the pipe each way.
const PIPE: usize = KIB;

/// Writes as much as the pipe takes now.
async fn write_now(peer: &mut DuplexStream, bytes: &[u8]) -> usize {
    poll_fn(|cx| match Pin::new(&mut *peer).poll_write(cx, bytes) {
        Poll::Ready(written) => Poll::Ready(written.expect("the other end is there")),
        Poll::Pending => Poll::Ready(0),
    })
    .await
}

/// spec: S-07
#[tokio::test]
async fn a_sender_that_waits_holds_little_of_a_large_message() {
    let (mut peer, stream) = duplex(PIPE);
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let large = Frame::binary(vec![7; 256 * KIB])
        .masked(vectors::KEY)
        .bytes();
    let mut taken = 0;
    let sent = {
        let mut sending = pin!(server.send(vec![1; 100 * KIB]));
        let mut idle = 0;
        while idle < 10 {
            let polled = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx).is_pending())).await;
            assert!(polled, "nobody has read what it sends");
            let written = write_now(&mut peer, &large[taken..]).await;
            taken += written;
            idle = if written == 0 { idle + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
        // It looks for Pings and a Close behind messages, and gives up on a long one.
        assert!((16 * KIB..=16 * KIB + 2 * PIPE).contains(&taken), "{taken}");
        // What was left in the pipe is not lost, and waits for whoever receives.
        let mut header = [0; 10];
        let reading = async {
            peer.read_exact(&mut header).await.expect("a frame");
            let mut payload = vec![0; 100 * KIB];
            peer.read_exact(&mut payload)
                .await
                .expect("the whole of it");
            payload
        };
        let (sent, payload) = tokio::join!(sending, reading);
        assert_eq!(payload, vec![1; 100 * KIB]);
        sent
    };
    sent.expect("sent");
    let rest = async { peer.write_all(&large[taken..]).await.expect("written") };
    let (received, ()) = tokio::join!(server.recv(), rest);
    assert_eq!(
        received.expect("received"),
        Some(Message::binary(vec![7; 256 * KIB]))
    );
}

/// A stream that takes no byte and gives as many as it is asked for: Pings.
struct Flood {
    pings: Vec<u8>,
    largest: Arc<AtomicUsize>,
    reads: usize,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        if self.reads > 100 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // The first read comes before anything is owed.
        if self.reads > 1 {
            self.largest
                .fetch_max(buffer.remaining(), Ordering::Relaxed);
        }
        let len = buffer.remaining().min(self.pings.len());
        buffer.put_slice(&self.pings[..len / 131 * 131]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a peer goes on sending that takes nothing is read in small pieces, and costs no more than its Pongs.
///
/// spec: S-07
#[tokio::test]
async fn a_peer_that_takes_nothing_is_read_in_small_pieces() {
    let largest = Arc::new(AtomicUsize::new(0));
    let stream = Flood {
        pings: Frame::ping([7; 125])
            .masked(vectors::KEY)
            .bytes()
            .repeat(3000),
        largest: Arc::clone(&largest),
        reads: 0,
    };
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    for _ in 0..100 {
        let mut receiving = pin!(server.recv());
        let pending = poll_fn(|cx| Poll::Ready(receiving.as_mut().poll(cx).is_pending())).await;
        assert!(pending, "a Ping is no message");
    }
    assert!((1..=4 * KIB).contains(&largest.load(Ordering::Relaxed)));
    assert!(server.stats().queued <= 9 * KIB, "{:?}", server.stats());
}
