//! What sessions take on the server.

use std::thread::sleep;
use std::time::Duration;

use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::subjects::service::{Engine, service};

use super::server::Server;
use crate::options::Options;
use crate::{Result, load};

/// Bytes per session of each of `subjects`, after its sessions were changed some
/// times.
pub(crate) fn per_session(
    server: &Server,
    options: &Options,
    size: Size,
    subjects: &[Who],
) -> Result<Vec<f64>> {
    let engine = Engine::Redis(server.url());
    let per_session = |who| -> Result<f64> {
        load::runtime()?.block_on(async {
            let service = service(who, size, &engine).await;
            // Scripts stay with the server.
            Client::of(service, Scenario::Change).await.requests(1).await;
        });
        server.flush();
        let before = settled(server);
        load::runtime()?.block_on(async {
            load::fill(&service(who, size, &engine).await, options.sessions()).await;
        });
        Ok((settled(server) - before) / f64::from(load::filled(options.sessions())))
    };
    let bytes = subjects.iter().map(|who| per_session(*who)).collect();
    server.flush();
    bytes
}

/// What the server has allocated once it has seen that its clients are gone, and
/// freed their buffers. They go with the runtime that their connections are on.
fn settled(server: &Server) -> f64 {
    for _ in 0..500 {
        let info = server.info();
        // The one that is left asks.
        if info.number("connected_clients") <= 1.0 {
            return info.number("used_memory");
        }
        sleep(Duration::from_millis(20));
    }
    panic!("the server's clients are still there");
}
