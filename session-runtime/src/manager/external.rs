//! Ending sessions by the id of a session elsewhere.

use super::{PAGE, SessionManager};
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::record::{External, Pointer};

impl<S> SessionManager<S> {
    /// Ends the sessions that [`set_external_id`](crate::Handle::set_external_id) has tied to this
    /// external one, and returns how many were live: for the back-channel logout of OpenID Connect,
    /// whose token names the session by `sid`.
    ///
    /// Goes on after a failure and returns the first one. The sessions that are left end if it is
    /// called again.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if the store fails, or has no index of principals.
    pub async fn revoke_external(&self, external: &str) -> Result<u64, SessionError> {
        let external = External::new(external);
        let places: Vec<_> = self.covered().map(|realm| external.principal(realm)).collect();
        let (mut ended, mut failed, mut from) = (0, None, None);
        loop {
            let page = self.records_of(&places, from.as_ref(), PAGE).await?;
            for record in page.records {
                let Some(pointer) = Pointer::of(&record) else { continue };
                match self.end_external(&external, &pointer).await {
                    Ok(was_live) => {
                        ended += u64::from(was_live);
                        // It points at nothing now. If that fails, it expires.
                        let _ = self.engine.end(record.id, self.because).await;
                    }
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
            from = page.next;
            if from.is_none() {
                return failed.map_or(Ok(ended), Err);
            }
        }
    }

    /// Ends the session that the pointer names, if it still belongs to this external one: another
    /// sign-in may have followed.
    async fn end_external(
        &self,
        external: &External,
        pointer: &Pointer,
    ) -> Result<bool, SessionError> {
        if let Some(principal) = &pointer.principal {
            let found = self.find(std::slice::from_ref(principal), pointer.session).await?;
            if found.is_none_or(|it| External::of(&it.fields).as_ref() != Some(external)) {
                return Ok(false);
            }
        }
        let was_live = self.engine.end(pointer.session, self.because).await?;
        if was_live {
            let event = Happening::new(SecurityEventKind::Revoked).of(pointer.session);
            let event = event.by(pointer.principal.as_ref()).because(self.because);
            self.engine.happened(&event);
        }
        Ok(was_live)
    }
}
