#[doc = "A session of [`Empty`]: methods for each field, above those that every session has."]
struct EmptySession {
    __session_handle: ::session_runtime::__private::Handle<Empty>,
}
const _: () = {
    use ::session_runtime::__private as __session;
    impl Empty {}
    #[automatically_derived]
    impl __session::SessionSchema for Empty {
        type Session = EmptySession;
        const SCHEMA: &'static __session::Schema = &__session::Schema::new("Empty", "", &[]);
        fn __snapshot(__session_handle: &__session::Handle<Self>) -> Self {
            Self {}
        }
        fn __replace(self, __session_handle: &mut __session::Handle<Self>) {}
    }
    #[automatically_derived]
    impl __session::SessionHandle for EmptySession {
        type Schema = Empty;
    }
    #[automatically_derived]
    impl ::core::convert::From<__session::Handle<Empty>> for EmptySession {
        fn from(__session_handle: __session::Handle<Empty>) -> Self {
            Self { __session_handle }
        }
    }
    #[automatically_derived]
    impl ::core::ops::Deref for EmptySession {
        type Target = __session::Handle<Empty>;
        fn deref(&self) -> &Self::Target {
            &self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::ops::DerefMut for EmptySession {
        fn deref_mut(&mut self) -> &mut Self::Target {
            &mut self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for EmptySession {
        fn fmt(&self, __session_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::core::fmt::Debug::fmt(&self.__session_handle, __session_f)
        }
    }
    __session::extractors!(EmptySession);
};
