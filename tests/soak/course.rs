//! What happens, in order.

use std::time::{Duration, Instant};

use session_runtime::store::SessionStore;
use session_tests::Client;

use crate::app::{ABSOLUTE, IDLE, app, layer};
use crate::subject::{Subject, heap};
use crate::worker::Worker;

const WORKERS: u64 = 16;
/// How long sweeping may take. The slowest machine needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(600);
/// What a checkpoint may leave of the log.
const LOG: u64 = 64 << 20;

struct Course {
    subject: Subject,
    client: Client,
    workers: Vec<Worker>,
    started: Instant,
    requests: u64,
    largest_log: u64,
}

pub(crate) async fn run(subject: Subject, sessions: u64) {
    println!("\n{sessions} sessions, {}", subject.name);
    let before = heap();
    let layer = layer(subject.store.clone());
    let manager = layer.manager();
    let client = Client::new(&app(layer));
    let worker =
        |number| Worker::new(client.clone(), manager.clone(), subject.clock.clone(), number);
    let workers = (0..WORKERS).map(worker).collect();
    #[allow(clippy::disallowed_methods)]
    let started = Instant::now();
    let course = Course { subject, client, workers, started, requests: 0, largest_log: 0 };
    course.all(before as f64, sessions).await;
}

impl Course {
    async fn all(mut self, before: f64, sessions: u64) {
        let each = sessions / WORKERS;
        self.phase("sign-ins", |worker| worker.sign_in(each)).await;
        let full = heap() as f64 - before;
        println!("    {:.0} bytes of heap per session", full / self.live() as f64);
        let file = self.subject.file_size();
        if let Some(file) = file {
            println!("    {:.0} bytes of file per session", file as f64 / self.live() as f64);
        }

        // Less than the idle timeout: whoever is left alone lives on.
        let step = |all: Duration| all / u32::try_from(each / 4 * WORKERS).unwrap();
        let (some, twenty) = (each / 4, step(Duration::from_secs(20 * 60)));
        self.phase("everything", |worker| worker.live_on(some, twenty)).await;
        self.phase("all that were kept", Worker::check_all).await;

        // Now all of those expire, while the others go on.
        let (alone, full) = (self.left_alone(), heap() as f64 - before);
        self.subject.clock.advance(Duration::from_secs(9 * 60));
        self.phase("all that were kept", Worker::check_all).await;
        self.subject.clock.advance(IDLE - Duration::from_secs(18 * 60));
        for worker in &mut self.workers {
            worker.left_alone = 0;
        }
        #[allow(clippy::disallowed_methods)]
        let expired = Instant::now();
        self.phase("everything, meanwhile", |worker| {
            worker.live_on(some / 4, Duration::from_millis(1))
        })
        .await;
        let live = self.live();
        let swept = |course: &Self| match course.subject.stored() {
            Some(stored) => stored <= live,
            // What the maps keep for more is little.
            None => heap() as f64 - before < full * 0.4,
        };
        while !swept(&self) {
            assert!(expired.elapsed() < PATIENCE, "the sweeper does not keep up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!(
            "    {alone} swept within {:.1} s, {:.0} % of the heap is left",
            expired.elapsed().as_secs_f64(),
            100.0 * (heap() as f64 - before) / full,
        );

        // They come back, and find room where the others were.
        self.phase("sign-ins again", |worker| worker.sign_in(each / 2)).await;
        if let (Some(before), Some(after)) = (file, self.subject.file_size()) {
            println!("    the file has {:.2} of the size it had", after as f64 / before as f64);
            assert!(after < before * 3 / 2, "the file grew from {before} to {after} bytes");
        }
        self.phase("everybody leaves", Worker::sign_out).await;
        self.subject.clock.advance(IDLE + Duration::from_secs(60));
        assert_eq!(self.subject.store.count().await.unwrap(), 0);
        println!(
            "    {} requests in {:.0} s, log at most {} KB",
            self.requests,
            self.started.elapsed().as_secs_f64(),
            self.largest_log / 1024
        );
        assert!(self.largest_log <= LOG, "the log grew to {} bytes", self.largest_log);
        drop((self.client, self.workers));
        self.subject.check_file().await;
    }

    fn live(&self) -> u64 {
        self.workers.iter().map(Worker::live).sum()
    }

    fn left_alone(&self) -> u64 {
        self.workers.iter().map(|worker| worker.left_alone).sum()
    }

    /// All workers at the same time; afterwards the store agrees with them.
    async fn phase<F>(&mut self, name: &str, work: impl Fn(Worker) -> F)
    where
        F: Future<Output = Worker> + Send + 'static,
    {
        #[allow(clippy::disallowed_methods)]
        let begun = Instant::now();
        let done: u64 = self.workers.iter().map(|worker| worker.requests).sum();
        let running = self.workers.drain(..).map(|worker| tokio::spawn(work(worker)));
        let mut running: Vec<_> = running.collect();
        while let Some(first) = running.first_mut() {
            tokio::select! {
                worker = first => {
                    self.workers.push(worker.unwrap());
                    running.remove(0);
                }
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
            if let Some(log) = self.subject.log_size() {
                self.largest_log = self.largest_log.max(log);
            }
        }
        let time = begun.elapsed().as_secs_f64();
        self.requests = self.workers.iter().map(|worker| worker.requests).sum();
        let requests = self.requests - done;
        println!("  {name}: {requests} requests, {:.0} a second", requests as f64 / time);
        let live = self.live();
        assert_eq!(self.subject.store.count().await.unwrap(), live, "live sessions after {name}");
        self.subject.check_rows(self.subject.clock.now().after(ABSOLUTE.max(IDLE)));
    }
}
