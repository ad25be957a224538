#[doc = "A session of [`Visitor`]: methods for each field, above those that every session has."]
struct Basket {
    __session_handle: crate::toolkit::__private::Handle<Visitor>,
}
const _: () = {
    use crate::toolkit::__private as __session;
    impl Visitor {
        #[doc = "Key of `plain`."]
        const PLAIN: __session::Key<Visitor, u8> = __session::Key::new(0);
        #[doc = "Key of `number`."]
        const NUMBER: __session::Key<Visitor, u8> = __session::Key::new(1);
        #[doc = "Key of `optional_number`."]
        const OPTIONAL_NUMBER: __session::Key<Visitor, Option<u8>> = __session::Key::new(2);
        #[doc = "Key of `locale`."]
        const LOCALE: __session::Key<Visitor, String> = __session::Key::new(3);
        #[doc = "Key of `foreign`."]
        const FOREIGN: __session::Key<Visitor, Foreign> = __session::Key::with(
            4,
            &__session::Codec {
                encode: |__session_value, __session_out| {
                    __session::encode_with::<Foreign>(
                        __session_value,
                        __session_out,
                        |__session_value, __session_json| {
                            foreign::as_text::serialize(__session_value, __session_json)
                        },
                    )
                },
                decode: |__session_bytes| {
                    __session::decode_with::<Foreign>(__session_bytes, |__session_json| {
                        foreign::as_text::deserialize(__session_json)
                    })
                },
            },
        );
        #[doc = "Key of `roles`."]
        const ROLES: __session::Key<Visitor, Vec<String>> = __session::Key::new(5);
        #[doc = "Key of `checked`."]
        const CHECKED: __session::Key<Visitor, u8> = __session::Key::new(6);
        #[doc = "Key of `role`."]
        #[deprecated(note = "use `roles`")]
        const ROLE: __session::Key<Visitor, String> = __session::Key::new(7);
    }
    #[automatically_derived]
    impl __session::SessionSchema for Visitor {
        type Session = Basket;
        const SCHEMA: &'static __session::Schema = &__session::Schema {
            name: "Visitor",
            namespace: "",
            fields: &[
                __session::Field::new("plain", "u8", Self::PLAIN.codec(), __session::default::<u8>),
                __session::Field::new("number", "u8", Self::NUMBER.codec(), || {
                    __session::boxed::<u8>(10)
                }),
                __session::Field::new(
                    "optional_number",
                    "Option<u8>",
                    Self::OPTIONAL_NUMBER.codec(),
                    || __session::boxed::<Option<u8>>(::core::option::Option::Some(20)),
                ),
                __session::Field::new("language", "String", Self::LOCALE.codec(), || {
                    __session::boxed::<String>(::core::convert::From::from("en"))
                })
                .aliases(&["lang", "l", "tongue"]),
                __session::Field::new(
                    "foreign",
                    "Foreign",
                    Self::FOREIGN.codec(),
                    __session::default::<Foreign>,
                ),
                __session::Field::new(
                    "roles",
                    "Vec<String>",
                    Self::ROLES.codec(),
                    __session::default::<Vec<String>>,
                )
                .renew()
                .on_invalid(__session::OnInvalid::DropSession),
                __session::Field::new(
                    "checked",
                    "u8",
                    Self::CHECKED.codec(),
                    __session::default::<u8>,
                )
                .on_invalid(__session::OnInvalid::Error),
                __session::Field::new(
                    "role",
                    "String",
                    Self::ROLE.codec(),
                    __session::default::<String>,
                ),
            ],
        };
        fn __snapshot(__session_handle: &__session::Handle<Self>) -> Self {
            Self {
                plain: __session_handle.__owned(Self::PLAIN),
                number: __session_handle.__owned(Self::NUMBER),
                optional_number: __session_handle.__owned(Self::OPTIONAL_NUMBER),
                locale: __session_handle.__owned(Self::LOCALE),
                foreign: __session_handle.__owned(Self::FOREIGN),
                cache: ::core::default::Default::default(),
                roles: __session_handle.__owned(Self::ROLES),
                checked: __session_handle.__owned(Self::CHECKED),
                role: __session_handle.__owned(Self::ROLE),
            }
        }
        fn __replace(self, __session_handle: &mut __session::Handle<Self>) {
            __session_handle.__put(Self::PLAIN, self.plain);
            __session_handle.__put(Self::NUMBER, self.number);
            __session_handle.__put(Self::OPTIONAL_NUMBER, self.optional_number);
            __session_handle.__put(Self::LOCALE, self.locale);
            __session_handle.__put(Self::FOREIGN, self.foreign);
            __session_handle.__put(Self::ROLES, self.roles);
            __session_handle.__put(Self::CHECKED, self.checked);
            __session_handle.__put(Self::ROLE, self.role);
        }
    }
    #[automatically_derived]
    impl __session::SessionHandle for Basket {
        type Schema = Visitor;
    }
    #[automatically_derived]
    impl ::core::convert::From<__session::Handle<Visitor>> for Basket {
        fn from(__session_handle: __session::Handle<Visitor>) -> Self {
            Self { __session_handle }
        }
    }
    #[automatically_derived]
    impl ::core::ops::Deref for Basket {
        type Target = __session::Handle<Visitor>;
        fn deref(&self) -> &Self::Target {
            &self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::ops::DerefMut for Basket {
        fn deref_mut(&mut self) -> &mut Self::Target {
            &mut self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for Basket {
        fn fmt(&self, __session_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::core::fmt::Debug::fmt(&self.__session_handle, __session_f)
        }
    }
    impl Basket {
        #[doc = " Returns `plain`."]
        #[must_use]
        fn plain(&self) -> u8 {
            *self.__session_handle.get(Visitor::PLAIN)
        }
        #[doc = " Sets `plain`."]
        fn set_plain(&mut self, value: u8) {
            self.__session_handle.set(Visitor::PLAIN, value);
        }
        #[doc = " Returns `number`."]
        #[must_use]
        fn number(&self) -> u8 {
            *self.__session_handle.get(Visitor::NUMBER)
        }
        #[doc = " Sets `number`."]
        fn set_number(&mut self, value: u8) {
            self.__session_handle.set(Visitor::NUMBER, value);
        }
        #[doc = " Returns `optional_number`."]
        #[must_use]
        fn optional_number(&self) -> ::core::option::Option<u8> {
            *self.__session_handle.get(Visitor::OPTIONAL_NUMBER)
        }
        #[doc = " Sets `optional_number`."]
        fn set_optional_number(&mut self, value: u8) {
            self.__session_handle.set(
                Visitor::OPTIONAL_NUMBER,
                ::core::option::Option::Some(value),
            );
        }
        #[doc = " Sets `optional_number` to `None`."]
        fn clear_optional_number(&mut self) {
            self.__session_handle
                .set(Visitor::OPTIONAL_NUMBER, ::core::option::Option::None);
        }
        #[doc = " Sets `optional_number` to `None` and returns what it was."]
        fn take_optional_number(&mut self) -> Option<u8> {
            ::core::mem::take(self.__session_handle.__value_mut(Visitor::OPTIONAL_NUMBER))
        }
        #[doc = " Returns `optional_number` to be changed in place; it is stored if its value differs."]
        fn optional_number_mut(&mut self) -> &mut Option<u8> {
            self.__session_handle.__value_mut(Visitor::OPTIONAL_NUMBER)
        }
        #[doc = " Returns `locale`."]
        #[must_use]
        fn locale(&self) -> &str {
            self.__session_handle.get(Visitor::LOCALE).as_str()
        }
        #[doc = " Sets `locale`."]
        fn set_locale(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle
                .set(Visitor::LOCALE, ::core::convert::Into::into(value));
        }
        #[doc = " Returns `locale` to be changed in place; it is stored if its value differs."]
        fn locale_mut(&mut self) -> &mut String {
            self.__session_handle.__value_mut(Visitor::LOCALE)
        }
        #[doc = " Returns `foreign`."]
        #[must_use]
        fn foreign(&self) -> &Foreign {
            self.__session_handle.get(Visitor::FOREIGN)
        }
        #[doc = " Sets `foreign`."]
        fn set_foreign(&mut self, value: Foreign) {
            self.__session_handle.set(Visitor::FOREIGN, value);
        }
        #[doc = " Returns `foreign` to be changed in place; it is stored if its value differs."]
        fn foreign_mut(&mut self) -> &mut Foreign {
            self.__session_handle.__value_mut(Visitor::FOREIGN)
        }
        #[doc = " Returns `roles`."]
        #[must_use]
        fn roles(&self) -> &[String] {
            self.__session_handle.get(Visitor::ROLES).as_slice()
        }
        #[doc = " Sets `roles`."]
        fn set_roles(&mut self, value: Vec<String>) {
            self.__session_handle.set(Visitor::ROLES, value);
        }
        #[doc = " Returns `roles` to be changed in place; it is stored if its value differs."]
        fn roles_mut(&mut self) -> &mut Vec<String> {
            self.__session_handle.__value_mut(Visitor::ROLES)
        }
        #[doc = " Returns `checked`."]
        #[must_use]
        fn checked(&self) -> u8 {
            *self.__session_handle.get(Visitor::CHECKED)
        }
        #[doc = " Sets `checked`."]
        fn set_checked(&mut self, value: u8) {
            self.__session_handle.set(Visitor::CHECKED, value);
        }
        #[doc = " Returns `role`."]
        #[deprecated(note = "use `roles`")]
        #[must_use]
        fn role(&self) -> &str {
            self.__session_handle.get(Visitor::ROLE).as_str()
        }
        #[doc = " Sets `role`."]
        #[deprecated(note = "use `roles`")]
        fn set_role(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle
                .set(Visitor::ROLE, ::core::convert::Into::into(value));
        }
        #[doc = " Returns `role` to be changed in place; it is stored if its value differs."]
        #[deprecated(note = "use `roles`")]
        fn role_mut(&mut self) -> &mut String {
            self.__session_handle.__value_mut(Visitor::ROLE)
        }
    }
    __session::extractors!(Basket);
};
