//! A cache keeps the contract of the store below it: also where every load may
//! be answered from memory, and nothing in it ever grows old.

use std::time::Duration;

use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{CachedStore, MemoryStore, SessionStore, contract::Touch};
use session_tests::cache::{Fed, Lately};

const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 400);

fn memory(clock: Clock) -> CachedStore<MemoryStore> {
    CachedStore::new(MemoryStore::with_clock(clock)).stale_for(FOR_EVER)
}

session_runtime::store_conformance! { as_it_is, |clock| async move { memory(clock) } }

session_runtime::store_conformance! {
    whatever_it_remembers, |clock| async move { Lately(memory(clock)) }
}

session_runtime::store_conformance! {
    with_room_for_three, |clock| async move { Lately(memory(clock).capacity(3)) }
}

// The feed says nothing at all: what this process does itself it must know.
session_runtime::store_conformance! {
    with_a_feed_that_is_silent, |clock| async move {
        let fed = Fed::new(MemoryStore::with_clock(clock));
        let cache = CachedStore::coherent(fed.clone());
        let (nobody, nothing) = (SessionId::from_bytes([0; 16]), SecretHash::from_bytes([0; 32]));
        cache.load(nobody, &[nothing], Touch::Never.into()).await.unwrap();
        let sink = fed.sink();
        sink.alive_until(sink.now().unwrap().after(FOR_EVER));
        Lately(cache)
    }
}
