//! The sessions that axum_session stored.

use std::collections::HashMap;

use ::axum_session::DatabasePool;
use axum::http::HeaderValue;
use serde::Deserialize;
use session_runtime::legacy::{Legacy, LegacyFields};
use session_runtime::store::{StoreError, StoreErrorKind, StoreFuture};

/// The table `table`, in any database that axum_session has a pool for.
pub struct AxumSessions<P> {
    pub pool: P,
    pub table: String,
}

/// The text of a row. Each value is JSON in a string.
#[derive(Deserialize)]
struct Row {
    data: HashMap<String, String>,
}

impl<P: DatabasePool + Send + Sync + 'static> Legacy for AxumSessions<P> {
    fn cookie_name(&self) -> &str {
        "session"
    }

    fn removal(&self) -> HeaderValue {
        HeaderValue::from_static("session=; Path=/; Max-Age=0")
    }

    fn credential(&self, value: &str) -> Option<String> {
        // A UUID. Under `with_key` a signature precedes it, which also covers the user agent and
        // the address. It is not checked: an id has 122 random bits.
        let id = value.get(value.len().checked_sub(36)?..)?;
        let is_id = id.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit());
        is_id.then(|| id.to_owned())
    }

    fn load<'a>(
        &'a self,
        id: &'a str,
    ) -> StoreFuture<'a, Result<Option<LegacyFields>, StoreError>> {
        StoreFuture::new(async move {
            // Expired rows are not returned.
            let row = self.pool.load(id, &self.table).await.map_err(unavailable)?;
            let Some(row) = row else { return Ok(None) };
            let row: Row = serde_json::from_str(&row)
                .map_err(|error| StoreError::because(StoreErrorKind::Corrupt, error))?;
            Ok(Some(row.data.into_iter().map(|(key, json)| (key, json.into())).collect()))
        })
    }

    fn delete<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Result<(), StoreError>> {
        StoreFuture::new(async move {
            self.pool.delete_one_by_id(id, &self.table).await.map_err(unavailable)
        })
    }
}

fn unavailable(error: ::axum_session::DatabaseError) -> StoreError {
    StoreError::because(StoreErrorKind::Unavailable, error)
}
