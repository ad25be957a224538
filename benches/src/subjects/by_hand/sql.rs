//! A row per session: `SELECT`, `UPDATE` and `INSERT` on a server, whose clock decides
//! what has expired.

use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, MySqlPool, PgPool, query, query_scalar, raw_sql};

use super::json::Texts;

/// As our stores have it.
const CONNECTIONS: u32 = 10;

/// The same for each kind of server, set up as our store does it: logs no statement,
/// and asks no connection whether it is alive before each use.
macro_rules! rows {
    (
        $connect:ident: $pool:ident by $options:ident, $pool_options:ident;
        table: $table:literal;
        select: $select:literal;
        update: $update:literal;
        insert: $insert:literal;
        rename: $rename:literal;
    ) => {
        /// A pool, and the table.
        ///
        /// # Panics
        ///
        /// If the server does not answer.
        pub async fn $connect(url: &str) -> $pool {
            let options = $options::from_str(url).expect("a URL").disable_statement_logging();
            let pool = $pool_options::new().max_connections(CONNECTIONS);
            let pool = pool.test_before_acquire(false).connect_with(options).await;
            let pool = pool.expect("it runs");
            raw_sql($table).execute(&pool).await.expect("a table");
            pool
        }

        impl Texts for $pool {
            async fn get(&mut self, key: &str) -> Vec<u8> {
                let json = query_scalar::<_, String>($select).bind(key).fetch_one(&*self).await;
                json.expect("stored").into_bytes()
            }

            async fn set(&mut self, key: &str, json: String) {
                query($update).bind(json).bind(key).execute(&*self).await.expect("stored");
            }

            async fn add(&mut self, key: &str, json: String) {
                query($insert).bind(json).bind(key).execute(&*self).await.expect("stored");
            }

            async fn rename(&mut self, old: &str, new: &str) {
                query($rename).bind(new).bind(old).execute(&*self).await.expect("stored");
            }
        }
    };
}

rows! {
    postgres: PgPool by PgConnectOptions, PgPoolOptions;
    table: "CREATE TABLE IF NOT EXISTS session \
        (id text PRIMARY KEY, data text NOT NULL, expires timestamptz NOT NULL)";
    select: "SELECT data FROM session WHERE id = $1 AND expires > now()";
    update: "UPDATE session SET data = $1, expires = now() + interval '30 minutes' WHERE id = $2";
    insert: "INSERT INTO session (data, id, expires) \
        VALUES ($1, $2, now() + interval '30 minutes')";
    rename: "UPDATE session SET id = $1 WHERE id = $2";
}

rows! {
    mariadb: MySqlPool by MySqlConnectOptions, MySqlPoolOptions;
    table: "CREATE TABLE IF NOT EXISTS session (id CHAR(43) CHARACTER SET ascii COLLATE ascii_bin \
        PRIMARY KEY, data MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL, expires DATETIME NOT NULL)";
    select: "SELECT data FROM session WHERE id = ? AND expires > UTC_TIMESTAMP()";
    update: "UPDATE session SET data = ?, expires = UTC_TIMESTAMP() + INTERVAL 30 MINUTE \
        WHERE id = ?";
    insert: "INSERT INTO session (data, id, expires) \
        VALUES (?, ?, UTC_TIMESTAMP() + INTERVAL 30 MINUTE)";
    rename: "UPDATE session SET id = ? WHERE id = ?";
}
