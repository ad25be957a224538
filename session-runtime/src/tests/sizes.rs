//! How much room a request takes: it is allocated, or moved, each time.
//!
//! The compiler decides about the last bytes, so these are bounds, a little above what it
//! makes of the code today.

use std::future::Ready;
use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::SessionLayer;
use crate::middleware::ResponseFuture;
use crate::request::RequestSession;
use crate::session::Keep;
use crate::store::MemoryStore;

#[track_caller]
fn at_most(what: &str, limit: usize, size: usize) {
    assert!(size <= limit, "{what} takes {size} bytes, more than {limit}");
}

#[test]
fn futures_and_what_a_request_shares_stay_small() {
    let engine = SessionLayer::new(MemoryStore::new()).engine();
    let request = Arc::new(RequestSession::new(engine, &Method::GET));
    let headers = HeaderMap::new();
    at_most("what a request shares", 512, size_of::<RequestSession>());
    at_most("loading a session", 424, size_of_val(&request.load(&headers, true)));
    // Allocated with each: glibc keeps blocks of up to 1,032 bytes at hand per thread.
    at_most("a commit", 1_016, size_of_val(&request.commit(Keep::Everything)));
    // Around the handler's own, and its response.
    at_most("a response", 160, size_of::<ResponseFuture<Ready<()>, ()>>());
}
