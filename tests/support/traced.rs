//! Everything that is traced on this thread while a test runs, as text.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static TEXT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Collects all events and spans of this thread, TRACE included. One collector
/// serves the whole process: `tracing` remembers per call site whether anybody
/// listens, and several collectors at a time would confuse it.
#[derive(Debug)]
pub struct Traced(());

impl Traced {
    pub fn start() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::subscriber::set_global_default(Collector).unwrap());
        TEXT.set(Some(String::new()));
        Self(())
    }

    pub fn text(&self) -> String {
        TEXT.with_borrow(|text| text.clone().unwrap())
    }

    /// How many lines of level WARN contain `text`.
    pub fn warnings(&self, text: &str) -> usize {
        self.text().lines().filter(|it| it.starts_with("WARN") && it.contains(text)).count()
    }
}

struct Collector;

fn write(record: impl FnOnce(&mut Line<'_>)) {
    TEXT.with_borrow_mut(|text| {
        if let Some(text) = text {
            record(&mut Line(text));
            text.push('\n');
        }
    });
}

struct Line<'t>(&'t mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        write(|line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        write(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        write(|line| {
            let _ = write!(line.0, "{}", event.metadata().level());
            event.record(line);
        });
    }

    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
