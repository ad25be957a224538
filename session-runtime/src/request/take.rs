//! Takes values that are handed out once out of the store in the middle of a request, with a patch
//! of their own.

use std::borrow::Cow;
use std::sync::Arc;

use super::turn::For;
use super::{Attempts, Committed, RequestSession, Seen, Work};
use crate::error::SessionError;
use crate::record::Record;
use crate::record::patch::Taken;
use crate::schema::Field;
use crate::session::{Origin, form, home};

impl RequestSession {
    /// Takes what is stored under `names` and returns the first value found.
    pub(super) async fn take_now(
        self: &Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        let _turn = self.turn(For::Call).await;
        let seen = Seen::of(&self.scope.state(), false);
        let Origin::Stored(record) = seen.origin.clone() else { return Ok(None) };
        let id = record.id;
        if !names.iter().any(|name| record.fields.get(name).is_some()) {
            // Guessed names make the store read but not write.
            let stored = self.engine.store.reload(id, record.meta.epoch);
            let stored = self.engine.within(stored).await?.ok_or(SessionError::Gone)?;
            if !names.iter().any(|name| stored.fields.get(name).is_some()) {
                return Ok(None);
            }
        }
        let mut taken = Vec::new();
        let work = Work::Take { names, taken: &mut taken };
        match Attempts::new(self, work, seen).run().await? {
            Committed::Stored => Ok(self.first_of(taken, field, &record)),
            Committed::Lost | Committed::Outdated(_) => Err(SessionError::Gone),
        }
    }

    /// Returns the first value found, decrypted.
    fn first_of(
        &self,
        taken: Vec<Taken>,
        field: &'static Field,
        record: &Record,
    ) -> Option<Vec<u8>> {
        taken.into_iter().find_map(|taken| {
            let stored = taken.value?;
            Some(match field.secret {
                true => {
                    let keys = &self.engine.config.keys;
                    keys.open(form(field), home(record), &taken.name, &stored).value
                }
                false => stored,
            })
        })
    }
}
