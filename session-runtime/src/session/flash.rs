//! Messages for the next page, several at once.

use super::core::How;
use super::handle::{Handle, typed_mut};
use crate::schema::{Key, SessionSchema, kind};

/// Flash lists.
impl<S: SessionSchema> Handle<S> {
    /// Appends to a flash list, so that what is there already is taken together with it. Of
    /// two requests that append at once, the later commit stays.
    ///
    /// ```
    /// use session_runtime::{SessionSchema, testing::TestSession};
    ///
    /// #[derive(SessionSchema)]
    /// struct Visitor {
    ///     #[session(flash)]
    ///     notices: Vec<String>,
    /// }
    ///
    /// let t = TestSession::<Visitor>::new();
    /// t.session().push_notices("Saved.");
    /// t.session().push_notices("A copy went to ann@example.org.");
    /// assert_eq!(t.session().take_notices().len(), 2);
    /// ```
    pub fn push<L: FlashList>(&mut self, key: Key<S, L, kind::Flash>, item: L::Item) {
        let change = self.core.begin(key.index());
        if let How::Reset | How::Taken = change.how {
            // What was there is gone; this is new.
            change.how = How::Set;
        }
        typed_mut::<L>(&mut change.value).push(item);
    }
}

/// A field that [`Handle::push`] appends to: `Vec<T>` or `Option<Vec<T>>`.
pub trait FlashList: Send + Sync + 'static {
    /// What it holds.
    type Item;

    #[doc(hidden)]
    fn push(&mut self, item: Self::Item);
}

impl<T: Send + Sync + 'static> FlashList for Vec<T> {
    type Item = T;

    fn push(&mut self, item: T) {
        self.push(item);
    }
}

impl<T: Send + Sync + 'static> FlashList for Option<Vec<T>> {
    type Item = T;

    fn push(&mut self, item: T) {
        self.get_or_insert_default().push(item);
    }
}
