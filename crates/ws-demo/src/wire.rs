//! The route `/wire`: what other connections of the same page put on the wire, which browsers show to no script.
//!
//! A page makes up a name that nobody guesses and opens `/wire?watch=NAME`. Connections that are opened with
//! `?watch=NAME&connection=NUMBER` after that are reported there, a message for each message they carry. Nobody watches a
//! connection that does not ask for it, and it costs nothing then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc;
use ws_async::handshake::server::Request;
use ws_async::{
    CloseCode, Compress, Direction, FrameHeader, HandlerResult, Message, Rsv, Sender, Session,
};

use crate::protocol::{Object, encode};

/// Largest message to this route in bytes; more fails the connection with 1009.
pub(crate) const MAX_MESSAGE_SIZE: usize = 1024;

/// Characters of a name: so many that it is not guessed, and not so many that it is a burden.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 16..=64;

/// Reports that wait for a page that does not read them as fast as messages go by. Beyond that they are lost, and the
/// numbers of those behind the gap tell that.
const BACKLOG: usize = 1_000;

/// Who watches, by the name they go by.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<String, Arc<Watch>>>);

/// One connection to `/wire`, as the connections see it that it watches.
#[derive(Debug)]
struct Watch {
    reports: mpsc::Sender<Report>,
    /// How their answers are to be compressed: an index of [`COMPRESS`].
    answers: AtomicU8,
}

/// By the names they have in messages.
const COMPRESS: [(&str, Compress); 3] = [
    ("auto", Compress::Auto),
    ("always", Compress::Always),
    ("never", Compress::Never),
];

/// How one connection was asked to answer, from the moment on at which it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Option<Arc<Watch>>);

impl Answers {
    /// Whether the next answer is compressed.
    pub(crate) fn compress(&self) -> Compress {
        let Self(watch) = self;
        watch.as_ref().map_or(Compress::Auto, |watch| {
            COMPRESS[usize::from(watch.answers.load(Ordering::Relaxed))].1
        })
    }
}

/// What a page is told, in this order; the README says what each member is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Told<'a> {
    Watching,
    Message(&'a Report),
    Answers { compress: &'a str },
    Error { text: &'a str },
}

/// One data message of a watched connection.
#[derive(Debug, Serialize)]
struct Report {
    connection: u32,
    direction: &'static str,
    number: u64,
    #[serde(flatten)]
    size: Size,
}

/// What a message is on the wire.
#[derive(Debug, Default, Serialize)]
struct Size {
    compressed: bool,
    frames: u64,
    header: u64,
    payload: u64,
}

/// Serves one watcher until it ends.
pub(crate) async fn serve(mut session: Session, watchers: Arc<Watchers>) -> HandlerResult {
    let Some((watching, mut reports)) = watchers.register(session.request()) else {
        let why = "to watch takes a name of 16 to 64 letters and digits that nobody else uses";
        session.close(CloseCode::POLICY_VIOLATION, why).await?;
        return Ok(());
    };
    session.send(encode(&Told::Watching)).await?;
    loop {
        tokio::select! {
            // Fed and not sent: the next turn of the loop writes what is queued before it waits.
            Some(report) = reports.recv() => session.feed(encode(&Told::Message(&report))).await?,
            received = session.recv() => match received? {
                Some(message) => session.feed(watching.heed(&message)).await?,
                None => return Ok(()),
            },
        }
    }
}

impl Watchers {
    /// Makes a request to `/wire` one that watches, unless it says no name, or one that is taken.
    fn register(self: &Arc<Self>, request: &Request) -> Option<(Watching, mpsc::Receiver<Report>)> {
        let name = name(request)?;
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watches.contains_key(name) {
            return None;
        }
        let (reports, receiver) = mpsc::channel(BACKLOG);
        let watch = Arc::new(Watch {
            reports,
            answers: AtomicU8::new(0),
        });
        watches.insert(name.to_owned(), Arc::clone(&watch));
        drop(watches);
        let watching = Watching {
            name: name.to_owned(),
            watch,
            watchers: Arc::clone(self),
        };
        Some((watching, receiver))
    }

    /// Lets a connection be watched if its request says by whom.
    pub(crate) fn watch(&self, request: &Request, sender: &Sender) -> Answers {
        let Some(watch) = self.find(request) else {
            return Answers::default();
        };
        let number = parameter(request, "connection").and_then(|number| number.parse().ok());
        let connection = number.unwrap_or_default();
        let mut reporter = Reporter::new(connection, watch.reports.clone());
        sender.set_tap(move |frame, _| {
            reporter.add(frame.direction, &frame.header, frame.header_len);
        });
        Answers(Some(watch))
    }

    fn find(&self, request: &Request) -> Option<Arc<Watch>> {
        let name = name(request)?;
        let watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.get(name).map(Arc::clone)
    }
}

/// A name that is taken for as long as this lives.
#[derive(Debug)]
struct Watching {
    name: String,
    watch: Arc<Watch>,
    watchers: Arc<Watchers>,
}

impl Watching {
    /// Does as the page says; what it is told then.
    fn heed(&self, message: &Message) -> Message {
        let object = message.as_text().and_then(Object::read);
        let asked = object
            .as_ref()
            .filter(|object| object.text("type") == Some("answers"))
            .and_then(|object| object.text("compress"));
        let found = (0..)
            .zip(COMPRESS)
            .find(|(_, (name, _))| asked == Some(name));
        encode(&match found {
            Some((index, (compress, _))) => {
                self.watch.answers.store(index, Ordering::Relaxed);
                Told::Answers { compress }
            }
            None => Told::Error {
                text: "What can be asked here is how answers are compressed: auto, always or never.",
            },
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watches = self.watchers.0.lock();
        let watches = watches
            .as_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut());
        watches.remove(&self.name);
    }
}

/// Makes reports of the frames of one connection.
#[derive(Debug)]
struct Reporter {
    connection: u32,
    reports: mpsc::Sender<Report>,
    received: Way,
    sent: Way,
}

impl Reporter {
    fn new(connection: u32, reports: mpsc::Sender<Report>) -> Self {
        Self {
            connection,
            reports,
            received: Way::default(),
            sent: Way::default(),
        }
    }

    fn add(&mut self, direction: Direction, header: &FrameHeader, header_len: usize) {
        let (direction, way) = match direction {
            Direction::Received => ("received", &mut self.received),
            Direction::Sent => ("sent", &mut self.sent),
        };
        if let Some(size) = way.add(header, header_len) {
            // One that is lost leaves a gap in the numbers.
            _ = self.reports.try_send(Report {
                connection: self.connection,
                direction,
                number: way.messages,
                size,
            });
        }
    }
}

/// One direction of a connection: the messages so far, and the frames of the one that is on its way.
#[derive(Debug, Default)]
struct Way {
    messages: u64,
    unfinished: Size,
}

impl Way {
    /// Adds a frame; the message that it completes. Control frames are part of none.
    fn add(&mut self, header: &FrameHeader, header_len: usize) -> Option<Size> {
        if header.opcode.is_control() {
            return None;
        }
        let size = &mut self.unfinished;
        // Of a fragmented message the first frame tells (RFC 7692 section 6).
        size.compressed |= header.rsv.contains(Rsv::RSV1);
        size.frames += 1;
        size.header += header_len as u64;
        size.payload += header.payload_len;
        if !header.fin {
            return None;
        }
        self.messages += 1;
        Some(std::mem::take(size))
    }
}

/// By which name the request is watched, or watches.
fn name(request: &Request) -> Option<&str> {
    parameter(request, "watch").filter(|name| is_word(name) && NAME_CHARS.contains(&name.len()))
}

/// The value of a parameter of the query. Nothing is decoded: a value that would need it is none that is valid here.
fn parameter<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut parameters = request.query()?.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use ws_async::Opcode;

    use super::*;

    #[test]
    fn reports_beyond_the_backlog_are_lost_and_the_numbers_tell() {
        let (reports, mut waiting) = mpsc::channel(BACKLOG);
        let mut reporter = Reporter::new(7, reports);
        let header = FrameHeader {
            fin: true,
            rsv: Rsv::NONE,
            opcode: Opcode::Text,
            mask: None,
            payload_len: 5,
        };
        let mut number = 0;
        let mut add = |times: u64| {
            for _ in 0..times {
                reporter.add(Direction::Sent, &header, 2);
            }
            number += times;
            number
        };
        let backlog = BACKLOG as u64;
        let lost = add(backlog + 1);
        for expected in 1..lost {
            assert_eq!(waiting.try_recv().expect("kept").number, expected);
        }
        assert!(waiting.try_recv().is_err(), "one more was kept");
        let next = add(1);
        assert_eq!(waiting.try_recv().expect("there is room").number, next);
        assert_eq!(next, backlog + 2);
    }
}
