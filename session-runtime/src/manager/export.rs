//! What is stored about a user, for the user.

use std::collections::BTreeMap;

use serde_json::Value;

use super::everybody::belongs_to;
use super::{SessionInfo, SessionManager};
use crate::error::SessionError;
use crate::record::Record;
use crate::schema::{FieldKind, HasPrincipal, Schema};

/// A session with its data; see [`SessionManager::export`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExportedSession {
    /// What a listing shows of it.
    pub info: SessionInfo,
    /// The stored values by their stored names, without credentials: fields marked `secret` or
    /// `nonce`.
    pub fields: BTreeMap<String, Value>,
}

impl<S: HasPrincipal> SessionManager<S> {
    /// Returns all live sessions of `principal` with their data, as stored, and those that the user
    /// has signed out of without ending them: for a user who asks what is stored about them (GDPR,
    /// article 15). Left out are fields marked `secret` or `nonce`, which are credentials, and those
    /// that no [schema](crate::SessionLayer::schema) of the layer declares, which may be.
    ///
    /// Reads every session of the store, in steps.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { #[session(principal)] user_id: Option<u64>, cart: Vec<String> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().signed_in_as(42).with(|s| s.set_cart(vec!["pen".to_owned()]));
    /// let all = t.typed_manager().export(&42).await?;
    /// assert_eq!(all[0].fields["cart"].to_string(), r#"["pen"]"#);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`erase`](Self::erase).
    #[doc(alias("gdpr"))]
    pub async fn export(
        &self,
        principal: &S::Principal,
    ) -> Result<Vec<ExportedSession>, SessionError> {
        let theirs = belongs_to(&self.named_by(principal)?);
        let schemas: Vec<_> = self.engine.schemas().all().collect();
        let listed = self.engine.schemas().listed();
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let page = self.scanned(from.as_ref(), &theirs).await?;
            let now = self.engine.now();
            all.extend(page.records.iter().map(|record| ExportedSession {
                info: SessionInfo::of(record, &listed, now),
                fields: fields(record, &schemas),
            }));
            from = page.next;
            if from.is_none() {
                return Ok(all);
            }
        }
    }
}

fn fields(record: &Record, schemas: &[&'static Schema]) -> BTreeMap<String, Value> {
    // What no schema declares may be a credential of another program.
    let is_shown = |stored: &str| {
        let mut fields = schemas.iter().flat_map(|schema| schema.fields);
        let field = fields.find(|field| field.names().any(|name| name == stored));
        field.is_some_and(|it| !it.secret && !matches!(it.kind, FieldKind::Nonce { .. }))
    };
    let shown = record.fields.iter().filter(|(name, _)| is_shown(name));
    shown
        .filter_map(|(name, json)| Some((name.to_owned(), serde_json::from_slice(json).ok()?)))
        .collect()
}
