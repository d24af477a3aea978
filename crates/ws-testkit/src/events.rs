//! What a program tells through `tracing`, as lines.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A subscriber that keeps each event as a line: `LEVEL span{fields}: message fields`. Clones keep the same lines.
#[derive(Clone, Debug)]
pub struct Events {
    level: Level,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    newest: AtomicU64,
    spans: Mutex<Vec<Span>>,
    lines: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Span {
    id: u64,
    name: &'static str,
    fields: String,
}

thread_local! {
    /// The spans that this thread is in, the innermost last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Events {
    /// Keeps what is told at `level` and above.
    pub fn at(level: Level) -> Self {
        Self {
            level,
            shared: Arc::default(),
        }
    }

    /// What was told since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.lines))
    }

    fn span(&self, id: u64) -> Option<String> {
        let spans = lock(&self.shared.spans);
        let span = spans.iter().find(|span| span.id == id)?;
        Some(format!("{}{{{}}}", span.name, span.fields.trim_start()))
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("ws_")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.shared.newest.fetch_add(1, Ordering::Relaxed) + 1;
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        lock(&self.shared.spans).push(Span {
            id,
            name: attributes.metadata().name(),
            fields: fields.0,
        });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        let mut spans = lock(&self.shared.spans);
        let id = span.into_u64();
        if let Some(span) = spans.iter_mut().find(|span| span.id == id) {
            span.fields.push_str(&fields.0);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let inside = event
            .parent()
            .map(Id::into_u64)
            .or_else(|| ENTERED.with_borrow(|entered| entered.last().copied()));
        let mut line = event.metadata().level().to_string();
        if let Some(span) = inside.and_then(|id| self.span(id)) {
            line.push(' ');
            line.push_str(&span);
        }
        let mut fields = Fields(line + ":");
        event.record(&mut fields);
        lock(&self.shared.lines).push(fields.0);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            let last = entered.iter().rposition(|id| *id == span.into_u64());
            if let Some(last) = last {
                entered.remove(last);
            }
        });
    }
}

/// Fields as ` name=value`, and the message as it is.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        // A `String` takes whatever there is.
        debug_assert!(written.is_ok());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
