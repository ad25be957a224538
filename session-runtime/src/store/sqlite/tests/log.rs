//! What is logged, and how often.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::store::sqlite::path;
use crate::store::sqlite::watch::Watch;

thread_local! {
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Returns the events that this thread logs during `work`, one per line.
fn log_of(work: impl FnOnce()) -> String {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Collector).unwrap());
    TEXT.take();
    work();
    TEXT.take()
}

struct Collector;

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

    fn event(&self, event: &Event<'_>) {
        TEXT.with_borrow_mut(|text| {
            let _ = write!(text, "{}", event.metadata().level());
            event.record(&mut Line(text));
            text.push('\n');
        });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Values<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_or_write_is_reported_when_it_is_opened() {
    use std::os::unix::fs::PermissionsExt as _;
    for (mode, reported) in [(0o600, false), (0o640, true), (0o604, true), (0o602, true)] {
        let directory = Directory::new();
        std::fs::write(directory.file(), "").unwrap();
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.file(), permissions).unwrap();
        let log = log_of(|| path::prepare(&directory.file()).unwrap());
        let warned = log.contains("chmod 600") && log.contains(&format!("mode={mode:o}"));
        assert_eq!(warned, reported, "{mode:o}: {log}");
        assert_eq!(log.is_empty(), !reported, "{mode:o}: {log}");
    }
}

#[test]
fn a_file_that_is_gone_is_said_once_and_so_is_its_return() {
    let directory = Directory::new();
    let away = directory.0.join("away");
    std::fs::write(directory.file(), "").unwrap();
    let watch = Watch::new([directory.file()]).unwrap();
    let log = log_of(|| {
        watch.check().unwrap();
        std::fs::rename(directory.file(), &away).unwrap();
        for _ in 0..3 {
            watch.check().unwrap_err();
        }
        std::fs::rename(&away, directory.file()).unwrap();
        for _ in 0..3 {
            watch.check().unwrap();
        }
    });
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].starts_with("ERROR") && lines[0].contains("deleted or replaced"), "{log}");
    assert!(lines[1].starts_with("WARN") && lines[1].contains("again"), "{log}");
}
