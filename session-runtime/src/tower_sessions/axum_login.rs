//! The entry of axum-login in a tower-sessions session: the signed-in user, and a hash of the
//! user's credentials.

use std::collections::HashMap;
use std::error::Error;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::store::{StoreError, StoreErrorKind, StoreFuture};

/// The name of the entry, unless the axum-login layer was given another one.
const ENTRY: &str = "axum-login.data";

type HashOf =
    dyn Fn(Value) -> StoreFuture<'static, Result<Option<Vec<u8>>, StoreError>> + Send + Sync;

pub(super) struct AxumLogin {
    field: String,
    hash_of: Box<HashOf>,
    /// Other names of the field.
    pub(super) aliases: &'static [&'static str],
    /// Under which name what of the hash is kept.
    pub(super) keeps: Option<Keeps>,
}

pub(crate) type Keeps = (&'static str, fn(&[u8]) -> String);

impl AxumLogin {
    pub(super) fn new<U, F>(field: String, hash_of: impl Fn(U) -> F + Send + Sync + 'static) -> Self
    where
        U: DeserializeOwned,
        F: Future<Output = Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let hash_of = move |id| match serde_json::from_value(id) {
            Ok(id) => {
                let asked = hash_of(id);
                StoreFuture::new(async move {
                    asked.await.map_err(|it| StoreError::because(StoreErrorKind::Unavailable, it))
                })
            }
            Err(_) => StoreFuture::ready(Err(StoreError::because(
                StoreErrorKind::Corrupt,
                "the user of a session of axum-login has an id of another type",
            ))),
        };
        Self { field, hash_of: Box::new(hash_of), aliases: &[], keeps: None }
    }

    /// Moves the user's id from the entry to the field. Returns `false` for a session that
    /// axum-login would end now, because the user no longer exists or has changed credentials.
    pub(super) async fn move_user(
        &self,
        data: &mut HashMap<String, Value>,
    ) -> Result<bool, StoreError> {
        // Only the entry decides who is signed in.
        data.remove(&self.field);
        for alias in self.aliases {
            data.remove(*alias);
        }
        let Some(Value::Object(mut login)) = data.remove(ENTRY) else { return Ok(true) };
        let Some(user) = login.remove("user_id").filter(|it| !it.is_null()) else {
            return Ok(true);
        };
        let stored = login.remove("auth_hash").and_then(|it| serde_json::from_value(it).ok());
        let present: Option<Vec<u8>> = (self.hash_of)(user.clone()).await?;
        if present.is_none() || present != stored {
            return Ok(false);
        }
        data.insert(self.field.clone(), user);
        if let (Some(hash), Some((name, digest))) = (present, self.keeps) {
            data.insert(name.to_owned(), digest(&hash).into());
        }
        Ok(true)
    }
}
