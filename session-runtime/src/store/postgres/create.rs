//! New records.

use std::borrow::Cow;

use super::Inner;
use super::arg::{Arg, conditions, name, text};
use super::row::{first, millis, saturating, split};
use super::run::Attempt;
use crate::clock::Timestamp;
use crate::patch::{Denied, SignIn};
use crate::record::Record;
use crate::store::contract::Created;
use crate::store::error::StoreError;
use crate::store::packed;

impl Inner {
    pub(super) async fn create(
        &self,
        record: &Record,
        sign_in: SignIn,
    ) -> Result<Created, StoreError> {
        let meta = &record.meta;
        let refused = self.limits.check_new(&record.fields).err();
        let principal = meta.principal.as_ref().map(|it| text(it.as_str())).transpose()?;
        let (mut names, mut texts, mut raws) = (Vec::new(), Vec::new(), Vec::new());
        // What is too large is not even sent.
        for (name, value) in record.fields.iter().filter(|_| refused.is_none()) {
            let (text_, raw) = split(value);
            names.push(Some(text(name)?));
            texts.push(text_);
            raws.push(raw);
        }
        let realm = Some(meta.realm.as_str()).filter(|_| !meta.realm.is_default());
        let last = meta.last_principal.as_deref();
        let (pending, previous) = (meta.renewal.pending(), meta.renewal.previous());
        let time = |at: Option<Timestamp>| Arg::Big(at.map(millis));
        let long = |ms: Option<u64>| Arg::Big(ms.map(saturating));
        let args = |attempt: Attempt| {
            let (cap, evict, since) = conditions(sign_in);
            vec![
                name(record.id),
                Arg::Bytes(Some(meta.secret.as_bytes())),
                time(Some(meta.secret_since)),
                Arg::Bytes(pending.map(|it| it.next.as_bytes().as_slice())),
                Arg::Bytes(pending.map(|it| it.nonce.0.as_slice())),
                Arg::Bytes(previous.map(|it| it.secret.as_bytes().as_slice())),
                time(previous.map(|it| it.at)),
                Arg::Big(Some(meta.epoch.cast_signed())),
                Arg::Big(Some(meta.rev.cast_signed())),
                time(Some(meta.created)),
                time(Some(meta.last_seen)),
                time(meta.authenticated),
                long(meta.idle),
                time(meta.absolute),
                long(meta.remember),
                Arg::Text(principal.map(Cow::Borrowed)),
                Arg::Bigs(meta.patches.iter().map(|id| id.as_u64().cast_signed()).collect()),
                Arg::Byteas(
                    meta.retired.iter().map(|it| Some(it.secret.as_bytes().as_slice())).collect(),
                ),
                Arg::Bigs(meta.retired.iter().map(|it| millis(it.at)).collect()),
                Arg::Text(packed::versions_json(&meta.versions).map(Cow::Owned)),
                Arg::Text(realm.map(Cow::Borrowed)),
                Arg::Bytes(last.map(|it| it.as_bytes().as_slice())),
                Arg::Texts(names.clone()),
                Arg::Texts(texts.clone()),
                Arg::Byteas(raws.clone()),
                cap,
                evict,
                since,
                Arg::Bool(refused.is_some()),
                Arg::Bool(attempt.again),
                self.now(),
                Arg::Int(attempt.wait),
            ]
        };
        let rows = self.server.call("create", args).await?;
        Ok(match (first::<i32>(&rows, 0)?, refused) {
            (0, _) => Created::Created,
            (2, Some(refused)) => Created::Refused(refused),
            (7, _) => Created::Denied(Denied::AtLimit),
            (8, _) => Created::Denied(Denied::Revoked),
            _ => Created::Exists,
        })
    }
}
