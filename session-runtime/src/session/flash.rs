//! Flash lists: several messages for the next page.

use super::core::How;
use super::handle::{Handle, typed_mut};
use crate::schema::{Key, SessionSchema, kind};

/// Flash lists.
impl<S: SessionSchema> Handle<S> {
    /// Appends to a flash list; the whole list is taken together. If two requests append
    /// concurrently, the later commit wins.
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
            // The earlier value is gone; this starts a new list.
            change.how = How::Set;
        }
        typed_mut::<L>(&mut change.value).push(item);
    }
}

/// A field that [`Handle::push`] can append to: `Vec<T>` or `Option<Vec<T>>`.
pub trait FlashList: Send + Sync + 'static {
    /// The type of the items.
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
