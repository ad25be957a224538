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
        #[doc = "Key of `tags`."]
        const TAGS: __session::Key<Visitor, Vec<String>> = __session::Key::new(7);
        #[doc = "Key of `device`."]
        const DEVICE: __session::Key<Visitor, Option<String>> = __session::Key::new(8);
        #[doc = "Key of `seed`."]
        const SEED: __session::Key<Visitor, u64> = __session::Key::new(9);
        #[doc = "Key of `one_time_code`."]
        const ONE_TIME_CODE: __session::Key<Visitor, Foreign, __session::kind::Nonce> =
            __session::Key::with(
                10,
                &__session::Codec {
                    encode: |__session_value, __session_out| {
                        __session::encode_with::<Foreign>(
                            __session_value,
                            __session_out,
                            |__session_value, __session_json| {
                                foreign::serialize(__session_value, __session_json)
                            },
                        )
                    },
                    decode: |__session_bytes| {
                        __session::decode_with::<Foreign>(__session_bytes, |__session_json| {
                            foreign::deserialize(__session_json)
                        })
                    },
                },
            );
        #[doc = "Key of `notice`."]
        const NOTICE: __session::Key<Visitor, Option<String>, __session::kind::Flash> =
            __session::Key::new(11);
        #[doc = "Key of `role`."]
        #[deprecated(note = "use `roles`")]
        const ROLE: __session::Key<Visitor, String> = __session::Key::new(12);
    }
    #[automatically_derived]
    impl __session::SessionSchema for Visitor {
        type Session = Basket;
        const SCHEMA: &'static __session::Schema = &__session::Schema::new(
            {
                static __SESSION_ID: u8 = 0;
                &__SESSION_ID
            },
            "Visitor",
            "admin",
            &[
                __session::Field::new(
                    "admin:plain",
                    "u8",
                    Self::PLAIN.codec(),
                    __session::default::<u8>,
                ),
                __session::Field::new("admin:number", "u8", Self::NUMBER.codec(), || {
                    __session::boxed::<u8>(10)
                }),
                __session::Field::new(
                    "admin:optional_number",
                    "Option<u8>",
                    Self::OPTIONAL_NUMBER.codec(),
                    || __session::boxed::<Option<u8>>(::core::option::Option::Some(20)),
                ),
                __session::Field::new("admin:language", "String", Self::LOCALE.codec(), || {
                    __session::boxed::<String>(::core::convert::From::from("en"))
                })
                .aliases(&["admin:lang", "admin:l", "admin:tongue"]),
                __session::Field::new(
                    "admin:foreign",
                    "Foreign",
                    Self::FOREIGN.codec(),
                    __session::default::<Foreign>,
                ),
                __session::Field::new(
                    "admin:roles",
                    "Vec<String>",
                    Self::ROLES.codec(),
                    __session::default::<Vec<String>>,
                )
                .renew()
                .on_invalid(__session::OnInvalid::DropSession),
                __session::Field::new(
                    "admin:checked",
                    "u8",
                    Self::CHECKED.codec(),
                    __session::default::<u8>,
                )
                .on_invalid(__session::OnInvalid::Error),
                __session::Field::new(
                    "admin:tags",
                    "Vec<String>",
                    Self::TAGS.codec(),
                    __session::default::<Vec<String>>,
                )
                .merge(|__session_base, __session_stored, __session_mine| {
                    __session::merge_with::<Vec<String>, _>(
                        __session_base,
                        __session_stored,
                        __session_mine,
                        union,
                    )
                }),
                __session::Field::new(
                    "admin:device",
                    "Option<String>",
                    Self::DEVICE.codec(),
                    __session::default::<Option<String>>,
                )
                .ttl(43200000)
                .compare()
                .clear_on_login()
                .listed()
                .null_is_absent(),
                __session::Field::new(
                    "admin:seed",
                    "u64",
                    Self::SEED.codec(),
                    __session::default::<u64>,
                )
                .write_once()
                .secret(),
                __session::Field::new(
                    "admin:one_time_code",
                    "Option<Foreign>",
                    Self::ONE_TIME_CODE.codec(),
                    __session::default::<Option<Foreign>>,
                )
                .aliases(&["admin:code"])
                .kind(__session::FieldKind::Nonce { keyed: false })
                .secret(),
                __session::Field::new(
                    "admin:notice",
                    "Option<String>",
                    Self::NOTICE.codec(),
                    __session::default::<Option<String>>,
                )
                .kind(__session::FieldKind::Flash)
                .ttl(86400000)
                .carry_over()
                .null_is_absent(),
                __session::Field::new(
                    "admin:role",
                    "String",
                    Self::ROLE.codec(),
                    __session::default::<String>,
                ),
            ],
        )
        .version(3)
        .migrate(upgrade::from_earlier);
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
                tags: __session_handle.__owned(Self::TAGS),
                device: __session_handle.__owned(Self::DEVICE),
                seed: __session_handle.__owned(Self::SEED),
                one_time_code: ::core::option::Option::None,
                notice: __session_handle.__owned(Self::NOTICE),
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
            __session_handle.__put(Self::TAGS, self.tags);
            __session_handle.__put(Self::DEVICE, self.device);
            __session_handle.__put(Self::SEED, self.seed);
            let _ = &self.one_time_code;
            __session_handle.__put(Self::NOTICE, self.notice);
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
            self.__session_handle
                .set(Visitor::OPTIONAL_NUMBER, ::core::option::Option::Some(value));
        }
        #[doc = " Sets `optional_number` to `None`."]
        fn clear_optional_number(&mut self) {
            self.__session_handle.set(Visitor::OPTIONAL_NUMBER, ::core::option::Option::None);
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
            self.__session_handle.set(Visitor::LOCALE, ::core::convert::Into::into(value));
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
        #[doc = " Returns `tags`."]
        #[must_use]
        fn tags(&self) -> &[String] {
            self.__session_handle.get(Visitor::TAGS).as_slice()
        }
        #[doc = " Sets `tags`."]
        fn set_tags(&mut self, value: Vec<String>) {
            self.__session_handle.set(Visitor::TAGS, value);
        }
        #[doc = " Returns `tags` to be changed in place; it is stored if its value differs."]
        fn tags_mut(&mut self) -> &mut Vec<String> {
            self.__session_handle.__value_mut(Visitor::TAGS)
        }
        #[doc = " Returns `device`."]
        #[must_use]
        fn device(&self) -> ::core::option::Option<&str> {
            self.__session_handle.get(Visitor::DEVICE).as_deref()
        }
        #[doc = " Sets `device`."]
        fn set_device(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle.set(
                Visitor::DEVICE,
                ::core::option::Option::Some(::core::convert::Into::into(value)),
            );
        }
        #[doc = " Sets `device` to `None`."]
        fn clear_device(&mut self) {
            self.__session_handle.reset(Visitor::DEVICE);
        }
        #[doc = " Sets `device` to `None` and returns what it was."]
        fn take_device(&mut self) -> Option<String> {
            ::core::mem::take(self.__session_handle.__value_mut(Visitor::DEVICE))
        }
        #[doc = " Returns `device` to be changed in place; it is stored if its value differs."]
        fn device_mut(&mut self) -> &mut Option<String> {
            self.__session_handle.__value_mut(Visitor::DEVICE)
        }
        #[doc = " Returns `seed`."]
        #[must_use]
        fn seed(&self) -> u64 {
            *self.__session_handle.get(Visitor::SEED)
        }
        #[doc = " Sets `seed`, once: when another value is stored already, that one stays."]
        fn set_seed(&mut self, value: u64) {
            self.__session_handle.set(Visitor::SEED, value);
        }
        #[doc = " Takes `one_time_code` out of the store, now: at most one of all concurrent requests gets it."]
        #[doc = "\n # Errors\n\n If the session ended, or its user signed in or out, meanwhile; if the store cannot answer; if its\n answer was lost, and the value may be gone with it."]
        async fn consume_one_time_code(
            &mut self,
        ) -> ::core::result::Result<::core::option::Option<Foreign>, __session::SessionError>
        {
            self.__session_handle.consume(Visitor::ONE_TIME_CODE).await
        }
        #[doc = " Sets `one_time_code`, to be consumed once."]
        fn set_one_time_code(&mut self, value: Foreign) {
            self.__session_handle.set(Visitor::ONE_TIME_CODE, value);
        }
        #[doc = " Returns `notice`, once: it is removed when the request commits."]
        fn take_notice(&mut self) -> Option<String> {
            self.__session_handle.take(Visitor::NOTICE)
        }
        #[doc = " Sets `notice`, to be taken once."]
        fn set_notice(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle.set(
                Visitor::NOTICE,
                ::core::option::Option::Some(::core::convert::Into::into(value)),
            );
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
            self.__session_handle.set(Visitor::ROLE, ::core::convert::Into::into(value));
        }
        #[doc = " Returns `role` to be changed in place; it is stored if its value differs."]
        #[deprecated(note = "use `roles`")]
        fn role_mut(&mut self) -> &mut String {
            self.__session_handle.__value_mut(Visitor::ROLE)
        }
    }
    __session::extractors!(Basket);
};
