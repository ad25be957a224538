//! PostgreSQL.

use session_tests::servers::Postgres;

/// Acknowledged means on disk, the sessions fit into memory, and checkpoints come only
/// where they are asked for.
const SETTINGS: &[&str] = &[
    "fsync=on",
    "full_page_writes=on",
    "shared_buffers=512MB",
    "max_wal_size=8GB",
    "checkpoint_timeout=1d",
    "pg_stat_statements.track_utility=on",
];

/// Where what is asked here is answered.
const OWN: &str = "postgres";

pub(crate) struct Server(Postgres);

impl Server {
    pub(super) fn start() -> Option<Self> {
        let server = Self(Postgres::start_with(SETTINGS)?);
        server.ask(OWN, "CREATE EXTENSION pg_stat_statements");
        Some(server)
    }

    pub(super) fn version(&self) -> String {
        // Debian adds its own.
        let version = self.ask(OWN, "SHOW server_version");
        format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default())
    }

    pub(super) fn empty(&self, name: &str) -> String {
        self.ask(OWN, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.ask(OWN, &format!("CREATE DATABASE {name}"));
        self.0.url(name)
    }

    pub(super) fn checkpoint(&self) {
        self.ask(OWN, "CHECKPOINT");
    }

    pub(super) fn statements(&self) -> f64 {
        let others = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
            WHERE query NOT LIKE '%pg_stat%'";
        self.number(OWN, others)
    }

    pub(super) fn written(&self) -> f64 {
        self.number(OWN, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    }

    pub(super) fn size(&self, name: &str) -> f64 {
        let sum = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c \
            JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' \
            AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";
        self.number(name, sum)
    }

    fn number(&self, database: &str, sql: &str) -> f64 {
        self.ask(database, sql).parse().unwrap_or(f64::NAN)
    }

    fn ask(&self, database: &str, sql: &str) -> String {
        self.0.psql(database, sql).expect("it answers")
    }
}
