//! A sender's turn, for a message in fragments.

use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use ws_proto::{Compress, FlushMark, MessageKind};

#[cfg(doc)]
use super::Sender;
use super::waiting::Place;
use crate::Error;
use crate::handover::Visit;
use crate::streaming::sealed::Sending;

/// A [`Sender`]'s turn to send a message in fragments.
pub struct Turn<'a> {
    place: Place<'a>,
    is_taken: bool,
    /// Behind the newest fragment.
    mark: Option<FlushMark>,
}

impl<'a> Turn<'a> {
    pub(super) const fn of(place: Place<'a>) -> Self {
        Self {
            place,
            is_taken: false,
            mark: None,
        }
    }
}

impl Sending for Turn<'_> {
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let begun = self.place.poll(cx, |driver, visit| {
            driver.poll_begin(visit.cx, visit.receiver_waits)
        });
        self.is_taken = matches!(begun, Poll::Ready(Ok(())));
        begun
    }

    fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        kind: MessageKind,
        fragment: &Bytes,
        fin: bool,
        compress: Compress,
    ) -> Poll<Result<(), Error>> {
        let mark = &mut self.mark;
        self.place.poll(cx, |driver, visit| {
            let Visit { cx, receiver_waits } = visit;
            let sent =
                ready!(driver.poll_fragment(cx, receiver_waits, kind, fragment, fin, compress));
            *mark = Some(driver.connection.flush_mark());
            Poll::Ready(sent)
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mark = &mut self.mark;
        self.place.poll(cx, |driver, visit| {
            let mark = mark.get_or_insert_with(|| driver.connection.flush_mark());
            driver.poll_flush_to(visit.cx, visit.receiver_waits, mark)
        })
    }

    fn end(&mut self, whole: bool) {
        if std::mem::take(&mut self.is_taken) {
            let handover = &self.place.shared.handover;
            handover.with(|driver, _| driver.end_turn(whole));
        }
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("is_taken", &self.is_taken)
            .finish_non_exhaustive()
    }
}
