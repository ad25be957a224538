//! The arguments of a call, and how values become some.

use std::borrow::Cow;

use super::Inner;
use super::failure::Failure;
use super::row::millis;
use crate::id::SessionId;
use crate::patch::{AtLimit, SignIn};

/// An argument of a function.
#[derive(Clone, Debug)]
pub(super) enum Arg<'a> {
    Bool(bool),
    Int(i32),
    Big(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<&'a [u8]>),
    Ints(Vec<i32>),
    Bigs(Vec<i64>),
    Texts(Vec<Option<&'a str>>),
    OwnTexts(Vec<Option<Cow<'a, str>>>),
    Byteas(Vec<Option<&'a [u8]>>),
}

impl Inner {
    /// The time for the server, unless its own clock decides.
    pub(super) fn now(&self) -> Arg<'static> {
        Arg::Big(self.clock.is_frozen().then(|| millis(self.clock.now())))
    }
}

pub(super) fn conditions(sign_in: SignIn) -> (Arg<'static>, Arg<'static>, Arg<'static>) {
    let cap = sign_in.cap.map(|cap| i64::from(cap.max.get()));
    let evict = sign_in.cap.is_some_and(|cap| cap.at_limit == AtLimit::EvictOldest);
    let since = sign_in.not_revoked_since.map(millis);
    (Arg::Big(cap), Arg::Bool(evict), Arg::Big(since))
}

/// `usize::MAX` is no limit.
pub(super) fn limit(bytes: usize) -> Arg<'static> {
    Arg::Big(i64::try_from(bytes).ok())
}

pub(super) fn name(id: SessionId) -> Arg<'static> {
    Arg::Text(Some(id.to_string().into()))
}

/// A name, or whatever else PostgreSQL must be able to store as text.
pub(super) fn text(text: &str) -> Result<&str, Failure> {
    if text.contains('\0') { Err(Failure::nul()) } else { Ok(text) }
}
