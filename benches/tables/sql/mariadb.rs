//! MariaDB.

use session_tests::servers::MariaDb;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::{MySqlPool, query_scalar, raw_sql};

/// Acknowledged means on disk; the log is as large as by default, and the sessions fit
/// into memory.
const SETTINGS: [&str; 3] = [
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-log-file-size=96M",
    "--innodb-buffer-pool-size=512M",
];

pub(crate) struct Server {
    server: MariaDb,
    pool: MySqlPool,
}

impl Server {
    pub(super) async fn start() -> Option<Self> {
        let settings = SETTINGS.map(str::to_owned).to_vec();
        let server = MariaDb::start_under(Vec::new(), settings)?;
        // One connection: what another one says at first would be counted.
        let pool = MySqlPoolOptions::new().max_connections(1).connect_lazy(&server.url(""));
        let pool = pool.expect("a URL");
        Some(Self { server, pool })
    }

    pub(super) async fn version(&self) -> String {
        let version = query_scalar::<_, String>("SELECT VERSION()").fetch_one(&self.pool).await;
        let version = version.expect("it answers");
        format!("MariaDB {}", version.split('-').next().unwrap_or_default())
    }

    pub(super) async fn empty(&self, name: &str) -> String {
        for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
            raw_sql(&sql).execute(&self.pool).await.expect("it answers");
        }
        self.server.url(name)
    }

    /// A number that the server keeps of itself.
    pub(super) async fn status(&self, name: &str) -> f64 {
        self.number(&format!(
            "SELECT CAST(VARIABLE_VALUE AS UNSIGNED) FROM information_schema.GLOBAL_STATUS \
             WHERE VARIABLE_NAME = '{name}'"
        ))
        .await
    }

    pub(super) async fn size(&self, name: &str) -> f64 {
        let tables = format!("FROM information_schema.TABLES WHERE table_schema = '{name}'");
        let all = format!(
            "SELECT CONCAT('ANALYZE TABLE ', GROUP_CONCAT('{name}.', table_name)) {tables} \
             AND table_type = 'BASE TABLE'"
        );
        let analyze = query_scalar::<_, Option<String>>(&all).fetch_one(&self.pool).await;
        let Some(analyze) = analyze.expect("it answers") else { return 0.0 };
        raw_sql(&analyze).fetch_all(&self.pool).await.expect("analysed");
        let sum = "SELECT CAST(SUM(data_length + index_length) AS UNSIGNED)";
        self.number(&format!("{sum} {tables}")).await
    }

    async fn number(&self, sql: &str) -> f64 {
        let number = query_scalar::<_, u64>(sql).fetch_one(&self.pool).await;
        number.expect("it answers") as f64
    }
}
