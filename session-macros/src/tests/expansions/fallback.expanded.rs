::core::compile_error! { "unknown option `prinicpal`: did you mean `principal`?\na field has: default, rename, alias, copy, with, skip, principal, renew, counter, flash, nonce, merge, compare, write_once, ttl, clear_on_login, carry_over, listed, secret, on_invalid" }
::core::compile_error! { "the accessor `id()` would hide a method that sessions have already: call the field for example `visitor_id` and keep its stored name with `#[session(rename = \"id\")]`" }
#[doc = "A session of [`Visitor`]: methods for each field, above those that every session has."]
struct VisitorSession {
    __session_handle: ::session_runtime::__private::Handle<Visitor>,
}
const _: () = {
    use ::session_runtime::__private as __session;
    impl __session::SessionSchema for Visitor {
        type Session = VisitorSession;
        const SCHEMA: &'static __session::Schema = &__session::Schema::new(&0, "", "", &[]);
        fn __snapshot(_: &__session::Handle<Self>) -> Self {
            ::core::unreachable!()
        }
        fn __replace(self, _: &mut __session::Handle<Self>) {}
    }
    impl Visitor {
        #[doc = "Key of `user_id`."]
        const USER_ID: __session::Key<Visitor, Option<u64>> = __session::Key::with(
            0,
            &__session::Codec {
                encode: |_, _| ::core::unreachable!(),
                decode: |_| ::core::unreachable!(),
            },
        );
        #[doc = "Key of `id`."]
        const ID: __session::Key<Visitor, Option<u32>> = __session::Key::with(
            0,
            &__session::Codec {
                encode: |_, _| ::core::unreachable!(),
                decode: |_| ::core::unreachable!(),
            },
        );
    }
    impl __session::HasPrincipal for Visitor {
        type Principal = u64;
        const PRINCIPAL: __session::Key<Self, ::core::option::Option<u64>> = __session::Key::with(
            0,
            &__session::Codec {
                encode: |_, _| ::core::unreachable!(),
                decode: |_| ::core::unreachable!(),
            },
        );
    }
    #[automatically_derived]
    impl __session::SessionHandle for VisitorSession {
        type Schema = Visitor;
    }
    #[automatically_derived]
    impl ::core::convert::From<__session::Handle<Visitor>> for VisitorSession {
        fn from(__session_handle: __session::Handle<Visitor>) -> Self {
            Self { __session_handle }
        }
    }
    #[automatically_derived]
    impl ::core::ops::Deref for VisitorSession {
        type Target = __session::Handle<Visitor>;
        fn deref(&self) -> &Self::Target {
            &self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::ops::DerefMut for VisitorSession {
        fn deref_mut(&mut self) -> &mut Self::Target {
            &mut self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for VisitorSession {
        fn fmt(&self, __session_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::core::fmt::Debug::fmt(&self.__session_handle, __session_f)
        }
    }
    impl VisitorSession {
        #[doc = " Returns `user_id`."]
        #[must_use]
        fn user_id(&self) -> ::core::option::Option<u64> {
            ::core::unreachable!()
        }
        #[doc = " Sets `user_id`: signs in, which renews the session's token."]
        fn set_user_id(&mut self, value: u64) {
            ::core::unreachable!()
        }
        #[doc = " Sets `user_id` to `None`: signs out."]
        fn clear_user_id(&mut self) {
            ::core::unreachable!()
        }
        #[doc = " Sets `user_id` to `None` and returns what it was."]
        fn take_user_id(&mut self) -> Option<u64> {
            ::core::unreachable!()
        }
        #[doc = " Returns `user_id` to be changed in place; it is stored if its value differs."]
        fn user_id_mut(&mut self) -> &mut Option<u64> {
            ::core::unreachable!()
        }
        #[doc = " Sets `id`."]
        fn set_id(&mut self, value: u32) {
            ::core::unreachable!()
        }
        #[doc = " Sets `id` to `None`."]
        fn clear_id(&mut self) {
            ::core::unreachable!()
        }
        #[doc = " Sets `id` to `None` and returns what it was."]
        fn take_id(&mut self) -> Option<u32> {
            ::core::unreachable!()
        }
        #[doc = " Returns `id` to be changed in place; it is stored if its value differs."]
        fn id_mut(&mut self) -> &mut Option<u32> {
            ::core::unreachable!()
        }
    }
    __session::extractors!(VisitorSession);
};
