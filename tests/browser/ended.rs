//! A page that is told that its session has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use serde_json::json;
use session_runtime::store::MemoryStore;
use session_runtime::{EndedEvents, Session, SessionLayer, SessionManager, SessionSchema};
use tokio::sync::watch;

use crate::support::{Browser, serve, wait_for};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
}

/// It does not close its stream, as a page should: so the server must stop it.
const PAGE: &str = "<form method=post action=/in><button id=in>in</button></form><script>
    const told = [], events = new EventSource('/ended');
    events.addEventListener('ended', event => told.push(event.data));
</script>";

struct Site {
    browser: Browser,
    sessions: SessionManager<Visitor>,
    /// Ends all streams, as a restart does.
    stop: watch::Sender<()>,
    streams: Arc<AtomicUsize>,
}

/// A browser with an open page of user 7.
fn open(case: &str) -> Option<Site> {
    let layer = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let sessions = layer.manager_for::<Visitor>().unwrap();
    let (stop, stopped) = watch::channel(());
    let streams = Arc::new(AtomicUsize::new(0));
    let opened = Arc::clone(&streams);
    let ended = move |events: EndedEvents<Visitor>| async move {
        opened.fetch_add(1, Ordering::SeqCst);
        let mut stopped = stopped.clone();
        stopped.mark_unchanged();
        events.until(async move { stopped.changed().await }).into_response()
    };
    let sign_in = async |mut session: Session<Visitor>| {
        session.set_user(7);
        Html(PAGE)
    };
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/in", post(sign_in))
        .route("/ended", get(ended))
        .layer(layer);
    let port = serve(|_| app);
    let browser = Browser::open(&format!("http://127.0.0.1:{port}"), case)?;
    // Without a session: 204, and no second attempt.
    wait_for("the stream to be given up", || is(&browser, "events.readyState", json!(2)));
    assert_eq!(streams.swap(0, Ordering::SeqCst), 1);
    browser.submit("#in");
    wait_for("the stream to be open", || is(&browser, "events.readyState", json!(1)));
    Some(Site { browser, sessions, stop, streams })
}

fn is(browser: &Browser, expression: &str, value: serde_json::Value) -> Option<()> {
    (browser.evaluate(expression) == value).then_some(())
}

impl Site {
    fn revoke(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(self.sessions.revoke_all(&7)).unwrap(), 1);
    }

    /// Once, and then the browser asks once more and gives up.
    fn is_told(&self, because: &str, streams: usize) {
        let browser = &self.browser;
        wait_for("the page to be told", || is(browser, "told", json!([because])));
        wait_for("the stream to be given up", || is(browser, "events.readyState", json!(2)));
        assert_eq!(browser.evaluate("told"), json!([because]));
        assert_eq!(self.streams.load(Ordering::SeqCst), streams);
    }
}

#[test]
fn an_open_page_is_told_once_and_not_asked_again() {
    let Some(site) = open("a page that is told of the end of its session") else { return };
    site.revoke();
    site.is_told("other-device", 2);
}

#[test]
fn an_end_while_the_page_reconnects_is_told_too() {
    let Some(site) = open("a page that reconnects") else { return };
    // The session goes on: so does the stream.
    site.stop.send(()).unwrap();
    wait_for("the stream to be open again", || {
        (site.streams.load(Ordering::SeqCst) == 2).then_some(())
    });
    wait_for("the stream to be open", || is(&site.browser, "events.readyState", json!(1)));
    assert_eq!(site.browser.evaluate("told"), json!([]));
    site.stop.send(()).unwrap();
    wait_for("the stream to be lost", || is(&site.browser, "events.readyState", json!(0)));
    site.revoke();
    site.is_told("other-device", 4);
}
