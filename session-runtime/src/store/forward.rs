//! Forwarding methods to another store.

/// Implements the listed methods of [`SessionStore`](crate::store::SessionStore) by forwarding them
/// to another store, for a wrapper that changes only a few of them.
///
/// The name before the arrow stands for `self`; the expression after it is the other store. The
/// methods are listed explicitly, so that `#[deny(clippy::missing_trait_methods)]` reports one that
/// is neither listed nor implemented and would silently get its default.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use session_runtime::store::{MemoryStore, SessionStore, StoreError, StoreFuture, contract::EndReason};
/// use session_runtime::{SessionId, forward_store};
///
/// /// Counts the logouts.
/// struct Counting {
///     inner: MemoryStore,
///     logouts: AtomicU64,
/// }
///
/// #[deny(clippy::missing_trait_methods)]
/// impl SessionStore for Counting {
///     forward_store! { this => this.inner;
///         clock capabilities load reload create apply list revoke count sweep scan cache watchers
///     }
///
///     fn delete(&self, id: SessionId, because: EndReason) -> StoreFuture<'_, Result<bool, StoreError>> {
///         self.logouts.fetch_add(1, Ordering::Relaxed);
///         self.inner.delete(id, because)
///     }
/// }
/// ```
#[macro_export]
macro_rules! forward_store {
    ($this:ident => $to:expr; $($method:ident)+) => {
        $($crate::forward_store!(@$method $this => $to);)+
    };
    (@clock $this:ident => $to:expr) => {
        fn clock(&self) -> &$crate::clock::Clock {
            let $this = self;
            $to.clock()
        }
    };
    (@capabilities $this:ident => $to:expr) => {
        fn capabilities(&self) -> $crate::store::contract::Capabilities {
            let $this = self;
            $to.capabilities()
        }
    };
    (@load $this:ident => $to:expr) => {
        fn load<'a>(
            &'a self,
            id: $crate::SessionId,
            secrets: &'a [$crate::store::contract::SecretHash],
            visit: $crate::store::contract::Visit,
        ) -> $crate::forward_store!(@answer 'a, $crate::store::contract::Lookup) {
            let $this = self;
            $to.load(id, secrets, visit)
        }
    };
    (@reload $this:ident => $to:expr) => {
        fn reload(
            &self,
            id: $crate::SessionId,
            epoch: u64,
        ) -> $crate::forward_store!(
            @answer '_, ::core::option::Option<::std::sync::Arc<$crate::store::contract::Record>>
        ) {
            let $this = self;
            $to.reload(id, epoch)
        }
    };
    (@create $this:ident => $to:expr) => {
        fn create(
            &self,
            record: ::std::sync::Arc<$crate::store::contract::Record>,
            sign_in: $crate::store::contract::SignIn,
        ) -> $crate::forward_store!(@answer '_, $crate::store::contract::Created) {
            let $this = self;
            $to.create(record, sign_in)
        }
    };
    (@apply $this:ident => $to:expr) => {
        fn apply<'a>(
            &'a self,
            id: $crate::SessionId,
            epoch: u64,
            patch: &'a $crate::store::contract::Patch,
            read: ::core::option::Option<&'a ::std::sync::Arc<$crate::store::contract::Record>>,
        ) -> $crate::forward_store!(@answer 'a, $crate::store::contract::Outcome) {
            let $this = self;
            $to.apply(id, epoch, patch, read)
        }
    };
    (@delete $this:ident => $to:expr) => {
        fn delete(
            &self,
            id: $crate::SessionId,
            because: $crate::store::contract::EndReason,
        ) -> $crate::forward_store!(@answer '_, bool) {
            let $this = self;
            $to.delete(id, because)
        }
    };
    (@list $this:ident => $to:expr) => {
        fn list<'a>(
            &'a self,
            principal: &'a $crate::store::contract::Principal,
            from: ::core::option::Option<&'a $crate::store::contract::Cursor>,
            limit: usize,
        ) -> $crate::forward_store!(@answer 'a, $crate::store::contract::Page) {
            let $this = self;
            $to.list(principal, from, limit)
        }
    };
    (@revoke $this:ident => $to:expr) => {
        fn revoke<'a>(
            &'a self,
            principal: &'a $crate::store::contract::Principal,
            which: $crate::store::contract::Revoke,
            because: $crate::EndReason,
            from: ::core::option::Option<&'a $crate::store::contract::Cursor>,
        ) -> $crate::forward_store!(@answer 'a, $crate::store::contract::Revoked) {
            let $this = self;
            $to.revoke(principal, which, because, from)
        }
    };
    (@count $this:ident => $to:expr) => {
        fn count(&self) -> $crate::forward_store!(@answer '_, u64) {
            let $this = self;
            $to.count()
        }
    };
    (@sweep $this:ident => $to:expr) => {
        fn sweep(&self, limit: usize) -> $crate::forward_store!(@answer '_, $crate::store::contract::Swept) {
            let $this = self;
            $to.sweep(limit)
        }
    };
    (@scan $this:ident => $to:expr) => {
        fn scan<'a>(
            &'a self,
            from: ::core::option::Option<&'a $crate::store::contract::Cursor>,
            limit: usize,
        ) -> $crate::forward_store!(@answer 'a, $crate::store::contract::Page) {
            let $this = self;
            $to.scan(from, limit)
        }
    };
    (@cache $this:ident => $to:expr) => {
        fn cache(&self) -> ::core::option::Option<$crate::store::CacheStats> {
            let $this = self;
            $to.cache()
        }
    };
    (@watchers $this:ident => $to:expr) => {
        fn watchers(&self) -> $crate::store::Watchers {
            let $this = self;
            $to.watchers()
        }
    };
    (@answer $life:lifetime, $it:ty) => {
        $crate::store::StoreFuture<
            $life,
            ::core::result::Result<$it, $crate::store::StoreError>,
        >
    };
}
