//! The conformance suite, in front of one server: as it is, and where every
//! load may be answered from memory.

use session_runtime::clock::Clock;
use session_runtime::store::{AnyStore, CachedStore, MemoryStore, RedisStore};
use session_tests::cache::Lately;
use session_tests::servers::redis;

async fn cached(clock: Clock) -> Option<CachedStore<RedisStore>> {
    let server = redis::single()?;
    let options = RedisStore::options().clock(clock).prefix(redis::fresh_prefix());
    let options = options.deadline(std::time::Duration::from_secs(60));
    let cache = CachedStore::coherent(options.connect(&server.url()).await.unwrap());
    super::kit::usable(&cache).await;
    Some(cache)
}

session_runtime::store_conformance! {
    as_it_is, |clock| async move {
        let memory = AnyStore::new(MemoryStore::with_clock(clock.clone()));
        cached(clock).await.map_or(memory, AnyStore::new)
    }
}

session_runtime::store_conformance! {
    whatever_it_remembers, |clock| async move {
        let memory = AnyStore::new(MemoryStore::with_clock(clock.clone()));
        cached(clock).await.map_or(memory, |cache| AnyStore::new(Lately(cache)))
    }
}
