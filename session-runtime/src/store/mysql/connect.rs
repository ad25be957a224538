//! Connecting, and clear words about what is missing on the other side.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, MySqlPool, Row as _};

use super::failure::Failure;
use super::layout::{self, Tables};
use super::options::MySqlOptions;
use super::{Inner, MySqlStore, row};
use crate::store::error::StoreErrorKind;
use crate::store::limits::Limits;

/// Statements and names around the values of a record.
const AROUND: usize = 64 << 10;

/// Connects once without the pool, which would go on trying.
pub(super) async fn connect(options: MySqlOptions, url: &str) -> Result<MySqlStore, Failure> {
    let tables = check(&options)?;
    let settings = settings(url)?;
    let look = async {
        let connected = settings.connect().await;
        let mut db =
            connected.map_err(|error| Failure::from(error).lasting().during("connecting"))?;
        let packet = prepare(&mut db, &tables, &options).await?;
        let _ = db.close().await;
        Ok(packet)
    };
    let packet = in_time(options.deadline, look).await?;
    let pool = MySqlPoolOptions::new()
        .max_connections(options.connections)
        .acquire_timeout(options.deadline)
        // A broken one is noticed at its first use, and that is tried again.
        .test_before_acquire(false)
        .connect_lazy_with(settings);
    Ok(open(options, tables, pool, packet))
}

pub(super) async fn with_pool(
    options: MySqlOptions,
    pool: MySqlPool,
) -> Result<MySqlStore, Failure> {
    let tables = check(&options)?;
    let look = async {
        let mut db = pool.acquire().await?;
        prepare(&mut db, &tables, &options).await
    };
    let packet = in_time(options.deadline, look).await?;
    Ok(open(options, tables, pool, packet))
}

fn check(options: &MySqlOptions) -> Result<Tables, Failure> {
    if options.connections == 0 {
        return Err(Failure::config("connections(0): at least one connection must work"));
    }
    if options.deadline < Duration::from_millis(100) {
        return Err(Failure::config("deadline: at least 100 milliseconds"));
    }
    if options.sweep_interval.is_some_and(|interval| interval < Duration::from_millis(1)) {
        return Err(Failure::config("sweep_interval: longer than nothing; `None` for never"));
    }
    Tables::new(&options.table_prefix)
}

fn settings(url: &str) -> Result<MySqlConnectOptions, Failure> {
    let malformed = "write the URL as `mysql://user:password@host:3306/database`";
    let rest = url.strip_prefix("mysql:").or_else(|| url.strip_prefix("mariadb:"));
    let rest = rest.filter(|rest| rest.starts_with("//"));
    let rest = rest.ok_or_else(|| Failure::config(malformed))?;
    // Without the reason: that may quote the password.
    let settings = MySqlConnectOptions::from_str(&format!("mysql:{rest}"))
        .map_err(|_| Failure::config(malformed))?;
    if settings.get_database().is_none_or(str::is_empty) {
        return Err(Failure::config("the URL names no database: `mysql://host/database`"));
    }
    // There are values in them.
    Ok(settings.disable_statement_logging())
}

/// Looks at the server and the tables. The largest packet that it takes.
async fn prepare(
    db: &mut MySqlConnection,
    tables: &Tables,
    options: &MySqlOptions,
) -> Result<usize, Failure> {
    let rows = layout::run(db, "SELECT VERSION(), @@max_allowed_packet, DATABASE()").await?;
    let server = rows.first().ok_or_else(|| Failure::corrupt("answer"))?;
    let version: String = server.try_get_unchecked(0)?;
    if !is_known(&version) {
        let text = format!("this store needs MySQL 8.0.1 or MariaDB 10.6, the server is {version}");
        return Err(Failure::config(text));
    }
    if row::bytes(server, 2)?.is_none() {
        return Err(Failure::config("the connections of this pool use no database"));
    }
    let packet = usize::try_from(row::number(server, 1)?).unwrap_or(0);
    // Every byte is two characters.
    let needed = options.limits.record.saturating_mul(2).saturating_add(AROUND);
    if options.limits != Limits::NONE && needed > packet {
        return Err(Failure::config(format!(
            "a record of {} bytes needs a `max_allowed_packet` of {needed}, the server has \
             {packet}; raise it, or lower `limits`",
            options.limits.record
        )));
    }
    if options.migrate {
        tables.migrate(db).await?;
    }
    tables.check(db, false).await?;
    Ok(packet)
}

/// `FOR UPDATE SKIP LOCKED` is what older ones lack.
fn is_known(version: &str) -> bool {
    let mut numbers =
        version.split(|c: char| !c.is_ascii_digit()).map(|it| it.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version_is = (next(), next(), next());
    match version.contains("MariaDB") {
        true => version_is >= (10, 6, 0),
        false => version_is >= (8, 0, 1),
    }
}

async fn in_time<T>(
    deadline: Duration,
    look: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(deadline, look).await {
        Ok(result) => result,
        Err(_) => {
            let text = "mysql: the server accepted a connection and said nothing";
            Err(Failure::new(StoreErrorKind::Timeout, text).during("connecting"))
        }
    }
}

fn open(options: MySqlOptions, tables: Tables, pool: MySqlPool, packet: usize) -> MySqlStore {
    let MySqlOptions { clock, limits, deadline, sweep_interval, .. } = options;
    MySqlStore::new(Inner { pool, tables, clock, limits, deadline, packet }, sweep_interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_skip_locked_are_told_apart() {
        for version in [
            "8.0.36",
            "8.4.0",
            "9.1.0-debug",
            "10.6.0-MariaDB",
            "10.11.14-MariaDB-0+deb12u2",
            "11.4.2-MariaDB",
        ] {
            assert!(is_known(version), "{version}");
        }
        for version in ["5.7.44", "8.0.0", "10.5.25-MariaDB", "", "5.5.5"] {
            assert!(!is_known(version), "{version}");
        }
    }

    #[test]
    fn a_url_without_a_database_is_refused_and_not_repeated() {
        for url in ["mysql://root:hunter2@localhost", "mysql:root:hunter2", "postgres://x/hunter2"]
        {
            let failure = settings(url).unwrap_err();
            assert_eq!(failure.kind(), StoreErrorKind::Config, "{url}");
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
        assert!(settings("mariadb://root@localhost/app").is_ok());
    }
}
