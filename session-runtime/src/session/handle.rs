//! The typed handle.

mod acting;
mod activity;
mod bearer;
mod lifecycle;
mod watch;

pub use self::activity::KeepAlive;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use super::core::{Core, How};
use crate::codec::Value;
use crate::error::SessionError;
use crate::record::patch::Add;
use crate::schema::{Counter, Key, SessionSchema, kind};

/// A typed view of the session of one request.
///
/// Handlers extract it as [`Session<S>`](crate::Session), which adds the generated accessors.
/// Generic code takes `&mut Handle<S>` and uses keys.
///
/// A handle works on a snapshot. Its changes are published to the request when it is dropped (or by
/// [`publish`](Self::publish)), and the layer stores them before the first byte of the response is
/// sent (or [`save`](Self::save) does).
///
/// Two handles alive in one request behave like two concurrent requests: they merge by field.
/// Borrowing a field mutably starts from the latest value that other handles have published. If two
/// handles borrowed a field at the same value, its policy resolves their changes; without one, the
/// later change is kept and a warning names the field.
pub struct Handle<S: SessionSchema> {
    pub(crate) core: Core,
    schema: PhantomData<fn() -> S>,
}

/// Reading and changing fields by key.
impl<S: SessionSchema> Handle<S> {
    pub(crate) fn new(core: Core) -> Self {
        core.backend.scope().gained_viewer();
        Self { core, schema: PhantomData }
    }

    /// Returns the value of a field: the value set, else the stored one, else the default.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// assert_eq!(session.get(Visitor::LOCALE), "en");
    /// session.set(Visitor::LOCALE, "de".to_owned());
    /// assert_eq!(session.get(Visitor::LOCALE), "de");
    /// ```
    #[must_use]
    pub fn get<T: 'static, K: kind::Readable>(&self, key: Key<S, T, K>) -> &T {
        typed(self.core.value(key.index()))
    }

    /// Sets a field. Setting the principal to `Some` signs that user in and renews the token, even
    /// if they were signed in already.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set(Visitor::LOCALE, "de".to_owned());
    /// assert_eq!(session.locale(), "de");
    /// ```
    #[doc(alias("insert"))]
    pub fn set<T: Send + Sync + 'static, K: kind::Settable>(
        &mut self,
        key: Key<S, T, K>,
        value: T,
    ) {
        self.core.put(key.index(), value, How::Set);
    }

    /// Changes a field in place. It is stored only if the value differs afterwards.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { cart: Vec<String> }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.update(Visitor::CART, |cart| cart.push("pen".to_owned()));
    /// assert_eq!(session.cart(), ["pen"]);
    /// ```
    pub fn update<T: 'static, K: kind::Readable, R>(
        &mut self,
        key: Key<S, T, K>,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        change(self.__value_mut(key))
    }

    /// Removes the stored value, so that the field reads as its default.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// t.session().reset(Visitor::LOCALE);
    /// assert_eq!(t.session().locale(), "en");
    /// ```
    #[doc(alias("remove"))]
    pub fn reset<T, K>(&mut self, key: Key<S, T, K>) {
        self.core.reset(key.index());
    }

    /// Adds to a counter, saturating. Concurrent additions all count.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { locale: String, #[session(counter)] visits: u64 }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("en"));
    /// let (mut one, mut two) = (t.session(), t.session()); // two requests at once
    /// one.add(Visitor::VISITS, 1);
    /// two.add(Visitor::VISITS, 2);
    /// # drop((one, two));
    /// assert_eq!(t.session().visits(), 3);
    /// ```
    pub fn add<T: Counter>(&mut self, key: Key<S, T, kind::Counter>, delta: i64) {
        let index = key.index();
        let before = *self.get(key);
        self.core.put_addition(index, before, before.plus(delta), delta);
    }

    /// Takes a flash value: returns it, and removes it when the request commits. A `HEAD` request
    /// removes nothing, because its response has no body to show the value in.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(flash)] notice: Option<String> }
    /// # let t = TestSession::<Visitor>::new();
    /// t.session().set_notice("Saved.");
    /// assert_eq!(t.session().take(Visitor::NOTICE).as_deref(), Some("Saved."));
    /// assert_eq!(t.session().take(Visitor::NOTICE), None);
    /// ```
    pub fn take<T: Send + Sync + 'static>(&mut self, key: Key<S, T, kind::Flash>) -> T {
        let index = key.index();
        let default: T = owned(self.core.field(index).default_value());
        self.core.catch_up(index);
        let change = self.core.begin(index);
        change.how = How::Taken;
        std::mem::replace(typed_mut(&mut change.value), default)
    }

    /// Whether this handle has an unpublished change of the field.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set_locale("de");
    /// assert!(session.changed(Visitor::LOCALE));
    /// session.publish();
    /// assert!(!session.changed(Visitor::LOCALE));
    /// ```
    #[must_use]
    pub fn changed<T, K>(&self, key: Key<S, T, K>) -> bool {
        self.core.changed(key.index())
    }

    /// Returns the stored names of the fields with unpublished changes in this handle, in the order
    /// of their first change. Keyed nonces come last, once each.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String, cart: Vec<String> }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.cart_mut().push("pen".to_owned());
    /// assert_eq!(session.changed_fields(), ["cart"]);
    /// ```
    #[must_use]
    pub fn changed_fields(&self) -> Vec<&'static str> {
        self.core.changed_fields()
    }

    /// Returns every readable field as (stored name, JSON). Flash, nonce and secret fields are left
    /// out.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { locale: String, #[session(counter)] visits: u64 }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// for (name, json) in t.session().entries()? {
    ///     println!("{name}: {json}"); // `locale: "de"`, then `visits: 0`
    /// }
    /// # Ok::<(), session_runtime::SessionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a value does not encode.
    pub fn entries(&self) -> Result<Vec<(&'static str, String)>, SessionError> {
        self.core.entries()
    }

    /// Returns all fields as the struct that declares them, decoded anew.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let visitor: Visitor = t.session().snapshot();
    /// assert_eq!(visitor.locale, "de");
    /// ```
    #[doc(alias = "copy")]
    #[must_use]
    pub fn snapshot(&self) -> S {
        S::__snapshot(self)
    }

    /// Sets every field from the struct. Unchanged fields are not written. A different principal is
    /// signed in; the same one is not signed in again.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.replace(Visitor { locale: "de".to_owned() });
    /// assert_eq!(session.locale(), "de");
    /// ```
    pub fn replace(&mut self, all: S) {
        all.__replace(self);
    }

    /// Resets every field of this schema except the `write_once` ones. The session itself stays.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// t.session().clear();
    /// assert_eq!(t.session().locale(), "en");
    /// assert!(!t.session().is_new());
    /// ```
    pub fn clear(&mut self) {
        self.core.clear();
    }

    #[doc(hidden)]
    pub fn __value_mut<T: 'static, K: kind::Readable>(&mut self, key: Key<S, T, K>) -> &mut T {
        let change = self.core.lend(key.index());
        if let How::Added(_) | How::Reset | How::Taken = change.how {
            // After these, borrowing mutably replaces the whole value.
            change.how = How::Set;
        }
        typed_mut(&mut change.value)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __owned<T: Send + Sync + 'static, K>(&self, key: Key<S, T, K>) -> T {
        owned(self.core.copy_of(key.index()))
    }

    #[doc(hidden)]
    pub fn __put<T: Send + Sync + 'static, K>(&mut self, key: Key<S, T, K>, value: T) {
        self.core.put(key.index(), value, How::Touched);
    }
}

impl<S: SessionSchema> Drop for Handle<S> {
    fn drop(&mut self) {
        self.core.publish_at_end();
        self.core.backend.scope().lost_viewer();
    }
}

impl<S: SessionSchema> fmt::Debug for Handle<S> {
    /// Omits the values: they may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("schema", &S::SCHEMA.name)
            .field("id", &self.id())
            .field("changed", &self.changed_fields())
            .finish_non_exhaustive()
    }
}

impl Core {
    fn put_addition<T: Counter>(&mut self, index: usize, before: T, after: T, delta: i64) {
        let how = match self.change(index).map(|change| &change.how) {
            // A set followed by an addition is a set.
            Some(How::Set | How::Acts | How::Touched | How::Reset | How::Taken) => How::Set,
            Some(How::Added(add)) => {
                How::Added(Add { delta: add.delta.saturating_add(delta), ..*add })
            }
            None => {
                let primary = self.fields().get(self.field(index).name).is_some();
                let absent: T =
                    if primary { owned(self.field(index).default_value()) } else { before };
                How::Added(Add { delta, absent: absent.integer() })
            }
        };
        self.put(index, after, how);
    }
}

const MISMATCH: &str = "keys are made by the derive, which knows the field's type";

fn typed<T: 'static>(value: &(dyn Any + Send + Sync)) -> &T {
    value.downcast_ref().unwrap_or_else(|| unreachable!("{MISMATCH}"))
}

pub(super) fn typed_mut<T: 'static>(value: &mut Value) -> &mut T {
    value.downcast_mut().unwrap_or_else(|| unreachable!("{MISMATCH}"))
}

pub(super) fn owned<T: 'static>(value: Value) -> T {
    *value.downcast().unwrap_or_else(|_| unreachable!("{MISMATCH}"))
}
