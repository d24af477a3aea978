//! An opening handshake between its waits. Mostly there are none, and then it costs no allocation and no timer of its own.

use std::future::poll_fn;
use std::io::{self, Cursor};
use std::ops::ControlFlow;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_handshake::Negotiated;
use ws_handshake::server::{Rejection, Request, RequestReader};

use super::{Acceptor, Incoming};
use crate::exchange::{Exchange, within};
use crate::{AcceptError, Config, WebSocket};

/// `Break` with what came of a handshake, `Continue` with what has to be waited for.
pub(super) type AtOnce<'a, S> = ControlFlow<Result<WebSocket<S>, AcceptError>, Waiting<'a, S>>;

/// Calls `begin` with the context of the task that awaits this.
pub(super) fn with_context<R>(
    begin: impl FnOnce(&mut Context<'_>) -> R,
) -> impl Future<Output = R> {
    let mut begin = Some(begin);
    poll_fn(move |cx| {
        let begin = begin.take().expect("this is ready when it is first polled");
        Poll::Ready(begin(cx))
    })
}

/// A handshake that has to wait.
pub(super) enum Waiting<'a, S> {
    Request(Asking<'a, S>),
    Answer(Answering<S>),
    Refusal(Refusing<S>),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Waiting<'_, S> {
    pub(super) async fn finish(self) -> Result<WebSocket<S>, AcceptError> {
        let judged = match self {
            Self::Request(asking) => {
                let acceptor = asking.acceptor;
                asking.finish().await?.judge(acceptor)
            }
            Self::Answer(answering) => Ok(answering),
            Self::Refusal(refusing) => Err(refusing),
        };
        match judged {
            Ok(answering) => answering.finish().await,
            Err(refusing) => Err(refusing.finish().await),
        }
    }
}

/// A request that is not there yet.
pub(super) struct Asking<'a, S> {
    acceptor: &'a Acceptor,
    exchange: Exchange<S>,
    reader: RequestReader,
    received: BytesMut,
    asked: Option<io::Result<Result<Request, Rejection>>>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Asking<'a, S> {
    pub(super) fn new(acceptor: &'a Acceptor, stream: S) -> Self {
        Self {
            acceptor,
            exchange: Exchange::new(stream, acceptor.config.handshake_timeout),
            reader: RequestReader::new(acceptor.limits),
            received: BytesMut::new(),
            asked: None,
        }
    }

    /// The request, if it has arrived whole and is one that can be answered.
    pub(super) fn at_once(mut self, cx: &mut Context<'_>) -> ControlFlow<Incoming<S>, Self> {
        _ = self.poll(cx);
        match self.asked {
            Some(Ok(Ok(request))) => ControlFlow::Break(Incoming {
                request,
                received: self.received,
                exchange: self.exchange,
            }),
            _ => ControlFlow::Continue(self),
        }
    }

    pub(super) async fn finish(mut self) -> Result<Incoming<S>, AcceptError> {
        let deadline = self.exchange.deadline;
        let in_time = within(deadline, poll_fn(|cx| self.poll(cx).map(Ok))).await;
        let asked = match self.asked {
            Some(asked) => asked,
            None => in_time.map(|()| Err(self.reader.handle_eof())),
        };
        match asked {
            Ok(Ok(request)) => Ok(Incoming {
                request,
                received: self.received,
                exchange: self.exchange,
            }),
            Ok(Err(rejection)) => {
                self.exchange.refuse(&rejection).await?;
                Err(AcceptError::Rejected(rejection))
            }
            Err(error) if self.exchange.is_overdue(&error) => {
                if !self.received.is_empty() {
                    // The answer gets one attempt that does not wait: the client had its time.
                    self.exchange.refuse(&Rejection::timeout()).await?;
                }
                Err(AcceptError::TimedOut)
            }
            Err(error) => Err(AcceptError::Io(error)),
        }
    }

    /// Ready when it is known what was asked.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.asked.is_none() {
            self.asked = Some(ready!(self.poll_request(cx)));
        }
        Poll::Ready(())
    }

    fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Result<Request, Rejection>>> {
        loop {
            let mut arrived = ready!(self.exchange.poll_read(cx))?;
            if arrived.is_empty() {
                return Poll::Ready(Ok(Err(self.reader.handle_eof())));
            }
            // A request that came in one piece is looked at where it lies, and nothing of it is kept.
            if !self.received.is_empty() {
                self.received.extend_from_slice(&arrived);
                arrived = std::mem::take(&mut self.received);
            }
            let read = self.reader.read(&arrived);
            let begin = match &read {
                Ok(Some(request)) => request.head_len(),
                Ok(None) | Err(_) => 0,
            };
            self.received = BytesMut::from(arrived.get(begin..).unwrap_or_default());
            if let Some(asked) = read.transpose() {
                return Poll::Ready(Ok(asked));
            }
        }
    }
}

/// An answer that is not written yet.
pub(super) struct Answering<S> {
    pub(super) exchange: Exchange<S>,
    /// What came behind the request.
    pub(super) received: BytesMut,
    pub(super) response: Cursor<Vec<u8>>,
    pub(super) negotiated: Negotiated,
    pub(super) config: Config,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Answering<S> {
    async fn finish(mut self) -> Result<WebSocket<S>, AcceptError> {
        let (exchange, response) = (&mut self.exchange, &mut self.response);
        let deadline = exchange.deadline;
        within(deadline, poll_fn(|cx| exchange.poll_write(cx, response)))
            .await
            .map_err(AcceptError::from_io)?;
        Ok(self.into_websocket())
    }

    fn into_websocket(self) -> WebSocket<S> {
        let config = self.config.with_agreed(self.negotiated.deflate);
        let ws = WebSocket::server(self.exchange.stream, config, self.received);
        ws.with_negotiated(self.negotiated)
    }
}

/// A refusal, which is written and then waits for the client to leave.
pub(super) struct Refusing<S> {
    pub(super) exchange: Exchange<S>,
    pub(super) error: AcceptError,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Refusing<S> {
    async fn finish(mut self) -> AcceptError {
        let internal = Rejection::internal_error();
        let rejection = match &self.error {
            AcceptError::Rejected(rejection) => rejection,
            _ => &internal,
        };
        match self.exchange.refuse(rejection).await {
            Ok(()) => self.error,
            Err(error) => error,
        }
    }
}

/// Writes an answer as far as the stream takes it; a refusal takes its time.
pub(super) fn answer_at_once<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    judged: Result<Answering<S>, Refusing<S>>,
    cx: &mut Context<'_>,
) -> AtOnce<'a, S> {
    let mut answering = match judged {
        Ok(answering) => answering,
        Err(refusing) => return ControlFlow::Continue(Waiting::Refusal(refusing)),
    };
    match answering.exchange.poll_write(cx, &mut answering.response) {
        Poll::Ready(Ok(())) => ControlFlow::Break(Ok(answering.into_websocket())),
        Poll::Ready(Err(error)) => ControlFlow::Break(Err(AcceptError::from_io(error))),
        Poll::Pending => ControlFlow::Continue(Waiting::Answer(answering)),
    }
}
