//! Our stores: where they are, what they are asked, how much they hold.

use std::path::PathBuf;

use session_runtime::store::{
    AnyStore, MemoryStore, MySqlStore, PostgresStore, RedisStore, SqliteStore,
};
use session_tests::servers::redis::{Cluster, Server as Node};
use session_tests::servers::{MariaDb, Postgres};
use sqlx::MySqlPool;
use tempfile::TempDir;

use crate::redis::server::{Info, Server};

/// Acknowledged means on disk, and the sessions fit into memory.
const POSTGRES: &[&str] = &[
    "fsync=on",
    "full_page_writes=on",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "pg_stat_statements.track_utility=on",
];
const MARIADB: [&str; 2] = [
    "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
    "SET GLOBAL innodb_buffer_pool_size = 512 * 1024 * 1024",
];

/// Memory comes first: what it holds is told by the size of this process.
pub(crate) const NAMES: [&str; 6] = ["memory", "sqlite", "redis", "cluster", "postgres", "mariadb"];

/// A kind of store, with its server.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Place {
    Memory,
    Sqlite(TempDir),
    Redis(Server),
    Cluster(Cluster),
    Postgres(Postgres),
    MariaDb(MariaDb, MySqlPool),
}

impl Place {
    /// Starts what this one needs; `None` where that is not installed.
    pub(crate) async fn start(name: &str) -> Option<Self> {
        Some(match name {
            "memory" => Self::Memory,
            "sqlite" => Self::Sqlite(tempfile::tempdir().expect("a directory")),
            "redis" => Self::Redis(Server::start().ok()?),
            "cluster" => Self::Cluster(Cluster::start()?),
            "postgres" => {
                let server = Postgres::start_with(POSTGRES)?;
                psql(&server, "CREATE EXTENSION pg_stat_statements");
                Self::Postgres(server)
            }
            _ => {
                let server = MariaDb::start()?;
                let pool = MySqlPool::connect(&server.url("")).await.expect("it runs");
                for sql in MARIADB {
                    sqlx::raw_sql(sql).execute(&pool).await.expect(sql);
                }
                Self::MariaDb(server, pool)
            }
        })
    }

    /// Of the server; empty where there is none.
    pub(crate) async fn version(&self) -> String {
        match self {
            Self::Memory | Self::Sqlite(_) => String::new(),
            Self::Redis(server) => server.info().version(),
            Self::Cluster(cluster) => info(&cluster.nodes[0]).version(),
            Self::Postgres(server) => format!("PostgreSQL {}", psql(server, "SHOW server_version")),
            Self::MariaDb(_, pool) => {
                let version: String =
                    sqlx::query_scalar("SELECT VERSION()").fetch_one(pool).await.expect("text");
                format!("MariaDB {version}")
            }
        }
    }

    /// A store with nothing in it, with the defaults but for sweeping: nothing
    /// expires here, and its statements would be counted.
    pub(crate) async fn fresh(&self, space: &str) -> Opened {
        let mut sqlite = None;
        let store = match self {
            Self::Memory => AnyStore::new(MemoryStore::new()),
            Self::Sqlite(directory) => {
                let file = directory.path().join(space);
                let store = SqliteStore::options().sweep_interval(None).open(&file).await;
                let store = store.expect("a file");
                sqlite = Some((store.clone(), file));
                AnyStore::new(store)
            }
            Self::Redis(server) => {
                server.flush();
                AnyStore::new(RedisStore::connect(&server.url()).await.expect("it runs"))
            }
            Self::Cluster(cluster) => {
                for node in primaries(cluster) {
                    node.ask(&["FLUSHALL"]);
                }
                AnyStore::new(RedisStore::connect(&cluster.url()).await.expect("it runs"))
            }
            Self::Postgres(server) => {
                psql(server, "DROP SCHEMA IF EXISTS sessions CASCADE");
                let options = PostgresStore::options().sweep_interval(None);
                AnyStore::new(options.connect(&server.url("postgres")).await.expect("it runs"))
            }
            Self::MariaDb(server, pool) => {
                for sql in ["DROP DATABASE IF EXISTS bench", "CREATE DATABASE bench"] {
                    sqlx::raw_sql(sql).execute(pool).await.expect(sql);
                }
                let options = MySqlStore::options().sweep_interval(None);
                AnyStore::new(options.connect(&server.url("bench")).await.expect("it runs"))
            }
        };
        Opened { store, sqlite }
    }

    /// Statements or round trips so far; `None` where there are none.
    pub(crate) async fn asked(&self) -> Option<f64> {
        match self {
            Self::Memory | Self::Sqlite(_) => None,
            Self::Redis(server) => Some(round_trips(&server.info())),
            Self::Cluster(cluster) => {
                // Replicas read what they copy.
                Some(primaries(cluster).map(|node| round_trips(&info(node))).sum())
            }
            Self::Postgres(server) => {
                let all = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
                    WHERE query NOT LIKE '%pg_stat%'";
                psql(server, all).parse().ok()
            }
            Self::MariaDb(_, pool) => {
                let all = "SELECT CAST(VARIABLE_VALUE AS UNSIGNED) \
                    FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'";
                Some(number(pool, all).await)
            }
        }
    }

    /// Bytes held so far.
    pub(crate) async fn size(&self) -> f64 {
        match self {
            Self::Memory => {
                let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
                let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
                let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
                kib.map_or(f64::NAN, |kib: f64| kib * 1024.0)
            }
            // Told when it is closed.
            Self::Sqlite(_) => 0.0,
            Self::Redis(server) => used(&server.info()),
            Self::Cluster(cluster) => primaries(cluster).map(|node| used(&info(node))).sum(),
            Self::Postgres(server) => {
                psql(server, "CHECKPOINT");
                let sum = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c \
                    JOIN pg_namespace n ON n.oid = relnamespace \
                    WHERE nspname = 'sessions' AND relkind = 'r'";
                psql(server, sum).parse().unwrap_or(f64::NAN)
            }
            Self::MariaDb(_, pool) => {
                let all = "SELECT CONCAT('ANALYZE TABLE ', GROUP_CONCAT('bench.', table_name)) \
                    FROM information_schema.TABLES WHERE table_schema = 'bench'";
                let analyze: String = sqlx::query_scalar(all).fetch_one(pool).await.expect("text");
                sqlx::raw_sql(&analyze).fetch_all(pool).await.expect("analysed");
                let sum = "SELECT CAST(SUM(data_length + index_length) AS UNSIGNED) \
                    FROM information_schema.TABLES WHERE table_schema = 'bench'";
                number(pool, sum).await
            }
        }
    }
}

/// A store, and what is needed to see how large its file is.
pub(crate) struct Opened {
    pub(crate) store: AnyStore,
    sqlite: Option<(SqliteStore, PathBuf)>,
}

impl Opened {
    /// The bytes of the file, without a log.
    pub(crate) async fn file(&self) -> Option<f64> {
        let (store, file) = self.sqlite.as_ref()?;
        store.close().await.expect("closed");
        Some(std::fs::metadata(file).map_or(f64::NAN, |file| file.len() as f64))
    }
}

fn primaries(cluster: &Cluster) -> impl Iterator<Item = &Node> {
    cluster.primaries().into_iter().map(move |node| &cluster.nodes[node])
}

/// What the server reads at once is what a client sends at once, but for very
/// long values.
fn round_trips(info: &Info) -> f64 {
    info.number("total_reads_processed")
}

fn used(info: &Info) -> f64 {
    info.number("used_memory")
}

fn info(node: &Node) -> Info {
    Info(node.ask(&["INFO", "everything"]))
}

fn psql(server: &Postgres, sql: &str) -> String {
    server.psql("postgres", sql).expect("it answers")
}

async fn number(pool: &MySqlPool, sql: &str) -> f64 {
    let number: u64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect("a number");
    number as f64
}
