#[doc = "A session of [`Visitor`]: methods for each field, above those that every session has."]
pub struct VisitorSession {
    __session_handle: ::session_runtime::__private::Handle<Visitor>,
}
const _: () = {
    use ::session_runtime::__private as __session;
    impl Visitor {
        #[doc = "Key of `user_id`."]
        pub const USER_ID: __session::Key<Visitor, Option<u64>> = __session::Key::new(0);
        #[doc = "Key of `locale`."]
        pub const LOCALE: __session::Key<Visitor, String> = __session::Key::new(1);
        #[doc = "Key of `visits`."]
        pub const VISITS: __session::Key<Visitor, u64, __session::kind::Counter> =
            __session::Key::new(2);
        #[doc = "Key of `cart`."]
        pub const CART: __session::Key<Visitor, Vec<Item>> = __session::Key::new(3);
        #[doc = "Key of `notice`."]
        pub const NOTICE: __session::Key<Visitor, Option<String>, __session::kind::Flash> =
            __session::Key::new(4);
    }
    #[automatically_derived]
    impl __session::SessionSchema for Visitor {
        type Session = VisitorSession;
        const SCHEMA: &'static __session::Schema = &__session::Schema::new(
            "Visitor",
            "",
            &[
                __session::Field::new(
                    "user_id",
                    "Option<u64>",
                    Self::USER_ID.codec(),
                    __session::default::<Option<u64>>,
                )
                .principal()
                .null_is_absent(),
                __session::Field::new("locale", "String", Self::LOCALE.codec(), || {
                    __session::boxed::<String>(::core::convert::From::from("en"))
                }),
                __session::Field::new(
                    "visits",
                    "u64",
                    Self::VISITS.codec(),
                    __session::default::<u64>,
                )
                .kind(__session::FieldKind::Counter { signed: false }),
                __session::Field::new(
                    "cart",
                    "Vec<Item>",
                    Self::CART.codec(),
                    __session::default::<Vec<Item>>,
                ),
                __session::Field::new(
                    "notice",
                    "Option<String>",
                    Self::NOTICE.codec(),
                    __session::default::<Option<String>>,
                )
                .kind(__session::FieldKind::Flash)
                .null_is_absent(),
            ],
        );
        fn __snapshot(__session_handle: &__session::Handle<Self>) -> Self {
            Self {
                user_id: __session_handle.__owned(Self::USER_ID),
                locale: __session_handle.__owned(Self::LOCALE),
                visits: __session_handle.__owned(Self::VISITS),
                cart: __session_handle.__owned(Self::CART),
                notice: __session_handle.__owned(Self::NOTICE),
            }
        }
        fn __replace(self, __session_handle: &mut __session::Handle<Self>) {
            __session_handle.__put(Self::USER_ID, self.user_id);
            __session_handle.__put(Self::LOCALE, self.locale);
            __session_handle.__put(Self::VISITS, self.visits);
            __session_handle.__put(Self::CART, self.cart);
            __session_handle.__put(Self::NOTICE, self.notice);
        }
    }
    #[automatically_derived]
    impl __session::HasPrincipal for Visitor {
        type Principal = u64;
        const PRINCIPAL: __session::Key<Self, Option<u64>> = Self::USER_ID;
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
        #[doc = " Returns `user_id`.\n"]
        #[doc = " Who is signed in."]
        #[must_use]
        pub fn user_id(&self) -> ::core::option::Option<u64> {
            *self.__session_handle.get(Visitor::USER_ID)
        }
        #[doc = " Sets `user_id`: signs in, which renews the session's token.\n"]
        #[doc = " Who is signed in."]
        pub fn set_user_id(&mut self, value: u64) {
            self.__session_handle.set(Visitor::USER_ID, ::core::option::Option::Some(value));
        }
        #[doc = " Sets `user_id` to `None`: signs out.\n"]
        #[doc = " Who is signed in."]
        pub fn clear_user_id(&mut self) {
            self.__session_handle.reset(Visitor::USER_ID);
        }
        #[doc = " Sets `user_id` to `None` and returns what it was.\n"]
        #[doc = " Who is signed in."]
        pub fn take_user_id(&mut self) -> Option<u64> {
            ::core::mem::take(self.__session_handle.__value_mut(Visitor::USER_ID))
        }
        #[doc = " Returns `user_id` to be changed in place; it is stored if its value differs.\n"]
        #[doc = " Who is signed in."]
        pub fn user_id_mut(&mut self) -> &mut Option<u64> {
            self.__session_handle.__value_mut(Visitor::USER_ID)
        }
        #[doc = " Returns `locale`."]
        #[must_use]
        pub fn locale(&self) -> &str {
            self.__session_handle.get(Visitor::LOCALE).as_str()
        }
        #[doc = " Sets `locale`."]
        pub fn set_locale(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle.set(Visitor::LOCALE, ::core::convert::Into::into(value));
        }
        #[doc = " Returns `locale` to be changed in place; it is stored if its value differs."]
        pub fn locale_mut(&mut self) -> &mut String {
            self.__session_handle.__value_mut(Visitor::LOCALE)
        }
        #[doc = " Returns `visits`."]
        #[must_use]
        pub fn visits(&self) -> u64 {
            *self.__session_handle.get(Visitor::VISITS)
        }
        #[doc = " Sets `visits`."]
        pub fn set_visits(&mut self, value: u64) {
            self.__session_handle.set(Visitor::VISITS, value);
        }
        #[doc = " Adds to `visits`; merges with what other requests add meanwhile."]
        pub fn add_visits(&mut self, delta: i64) {
            self.__session_handle.add(Visitor::VISITS, delta);
        }
        #[doc = " Returns `cart`.\n"]
        #[doc = " What will be bought."]
        #[must_use]
        pub fn cart(&self) -> &[Item] {
            self.__session_handle.get(Visitor::CART).as_slice()
        }
        #[doc = " Sets `cart`.\n"]
        #[doc = " What will be bought."]
        pub fn set_cart(&mut self, value: Vec<Item>) {
            self.__session_handle.set(Visitor::CART, value);
        }
        #[doc = " Returns `cart` to be changed in place; it is stored if its value differs.\n"]
        #[doc = " What will be bought."]
        pub fn cart_mut(&mut self) -> &mut Vec<Item> {
            self.__session_handle.__value_mut(Visitor::CART)
        }
        #[doc = " Returns `notice`, once: it is removed when the request commits."]
        pub fn take_notice(&mut self) -> Option<String> {
            self.__session_handle.take(Visitor::NOTICE)
        }
        #[doc = " Sets `notice`, to be taken once."]
        pub fn set_notice(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle.set(
                Visitor::NOTICE,
                ::core::option::Option::Some(::core::convert::Into::into(value)),
            );
        }
    }
    __session::extractors!(VisitorSession);
};
