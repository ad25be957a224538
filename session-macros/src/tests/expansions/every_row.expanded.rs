#[doc = "A session of [`Rows`]: methods for each field, above those that every session has."]
pub(crate) struct RowsSession {
    __session_handle: ::session_runtime::__private::Handle<Rows>,
}
const _: () = {
    use ::session_runtime::__private as __session;
    impl Rows {
        #[doc = "Key of `integer`."]
        pub(crate) const INTEGER: __session::Key<Rows, i128> = __session::Key::new(0);
        #[doc = "Key of `flag`."]
        pub(crate) const FLAG: __session::Key<Rows, bool> = __session::Key::new(1);
        #[doc = "Key of `text`."]
        pub(crate) const TEXT: __session::Key<Rows, std::string::String> = __session::Key::new(2);
        #[doc = "Key of `list`."]
        pub(crate) const LIST: __session::Key<Rows, Vec<Item>> = __session::Key::new(3);
        #[doc = "Key of `optional_integer`."]
        pub(crate) const OPTIONAL_INTEGER: __session::Key<Rows, Option<u8>> =
            __session::Key::new(4);
        #[doc = "Key of `optional_text`."]
        pub(crate) const OPTIONAL_TEXT: __session::Key<Rows, Option<String>> =
            __session::Key::new(5);
        #[doc = "Key of `optional_list`."]
        pub(crate) const OPTIONAL_LIST: __session::Key<Rows, Option<Vec<u8>>> =
            __session::Key::new(6);
        #[doc = "Key of `optional_other`."]
        pub(crate) const OPTIONAL_OTHER: __session::Key<Rows, core::option::Option<Item>> =
            __session::Key::new(7);
        #[doc = "Key of `other`."]
        pub(crate) const OTHER: __session::Key<Rows, HashMap<String, Item>> =
            __session::Key::new(8);
        #[doc = "Key of `copied`."]
        pub(crate) const COPIED: __session::Key<Rows, Point> = __session::Key::new(9);
        #[doc = "Key of `optional_copied`."]
        pub(crate) const OPTIONAL_COPIED: __session::Key<Rows, Option<Point>> =
            __session::Key::new(10);
        #[doc = "Key of `signed`."]
        pub(crate) const SIGNED: __session::Key<Rows, i64, __session::kind::Counter> =
            __session::Key::new(11);
        #[doc = "Key of `flash`."]
        pub(crate) const FLASH: __session::Key<Rows, Item, __session::kind::Flash> =
            __session::Key::new(12);
        #[doc = "Key of `text_nonce`."]
        pub(crate) const TEXT_NONCE: __session::Key<Rows, String, __session::kind::Nonce> =
            __session::Key::new(13);
        #[doc = "Key of `nonce`."]
        pub(crate) const NONCE: __session::Key<Rows, Item, __session::kind::Nonce> =
            __session::Key::new(14);
        #[doc = "Key of `text_nonces`."]
        pub(crate) const TEXT_NONCES: __session::Key<Rows, String, __session::kind::KeyedNonce> =
            __session::Key::new(15);
        #[doc = "Key of `nonces`."]
        pub(crate) const NONCES: __session::Key<Rows, Option<Item>, __session::kind::KeyedNonce> =
            __session::Key::new(16);
        #[doc = "Key of `once`."]
        pub(crate) const ONCE: __session::Key<Rows, Option<Item>> = __session::Key::new(17);
        #[doc = "Key of `type`."]
        pub(crate) const TYPE: __session::Key<Rows, u8> = __session::Key::new(18);
    }
    #[automatically_derived]
    impl __session::SessionSchema for Rows {
        type Session = RowsSession;
        const SCHEMA: &'static __session::Schema = &__session::Schema::new(
            {
                static __SESSION_ID: u8 = 0;
                &__SESSION_ID
            },
            "Rows",
            "",
            &[
                __session::Field::new(
                    "integer",
                    "i128",
                    Self::INTEGER.codec(),
                    __session::default::<i128>,
                ),
                __session::Field::new(
                    "flag",
                    "bool",
                    Self::FLAG.codec(),
                    __session::default::<bool>,
                ),
                __session::Field::new(
                    "text",
                    "std::string::String",
                    Self::TEXT.codec(),
                    __session::default::<std::string::String>,
                ),
                __session::Field::new(
                    "list",
                    "Vec<Item>",
                    Self::LIST.codec(),
                    __session::default::<Vec<Item>>,
                ),
                __session::Field::new(
                    "optional_integer",
                    "Option<u8>",
                    Self::OPTIONAL_INTEGER.codec(),
                    __session::default::<Option<u8>>,
                )
                .null_is_absent(),
                __session::Field::new(
                    "optional_text",
                    "Option<String>",
                    Self::OPTIONAL_TEXT.codec(),
                    __session::default::<Option<String>>,
                )
                .null_is_absent(),
                __session::Field::new(
                    "optional_list",
                    "Option<Vec<u8>>",
                    Self::OPTIONAL_LIST.codec(),
                    __session::default::<Option<Vec<u8>>>,
                )
                .null_is_absent(),
                __session::Field::new(
                    "optional_other",
                    "core::option::Option<Item>",
                    Self::OPTIONAL_OTHER.codec(),
                    __session::default::<core::option::Option<Item>>,
                )
                .null_is_absent(),
                __session::Field::new(
                    "other",
                    "HashMap<String, Item>",
                    Self::OTHER.codec(),
                    __session::default::<HashMap<String, Item>>,
                ),
                __session::Field::new(
                    "copied",
                    "Point",
                    Self::COPIED.codec(),
                    __session::default::<Point>,
                ),
                __session::Field::new(
                    "optional_copied",
                    "Option<Point>",
                    Self::OPTIONAL_COPIED.codec(),
                    __session::default::<Option<Point>>,
                )
                .null_is_absent(),
                __session::Field::new(
                    "signed",
                    "i64",
                    Self::SIGNED.codec(),
                    __session::default::<i64>,
                )
                .kind(__session::FieldKind::Counter { signed: true }),
                __session::Field::new(
                    "flash",
                    "Item",
                    Self::FLASH.codec(),
                    __session::default::<Item>,
                )
                .kind(__session::FieldKind::Flash),
                __session::Field::new(
                    "text_nonce",
                    "Option<String>",
                    Self::TEXT_NONCE.codec(),
                    __session::default::<Option<String>>,
                )
                .kind(__session::FieldKind::Nonce { keyed: false }),
                __session::Field::new(
                    "nonce",
                    "core::option::Option<Item>",
                    Self::NONCE.codec(),
                    __session::default::<core::option::Option<Item>>,
                )
                .kind(__session::FieldKind::Nonce { keyed: false }),
                __session::Field::new(
                    "text_nonces",
                    "std::collections::HashMap<String, String>",
                    Self::TEXT_NONCES.codec(),
                    __session::default::<std::collections::HashMap<String, String>>,
                )
                .kind(__session::FieldKind::Nonce { keyed: true })
                .ttl(90000),
                __session::Field::new(
                    "nonces",
                    "BTreeMap<std::string::String, Option<Item>>",
                    Self::NONCES.codec(),
                    __session::default::<BTreeMap<std::string::String, Option<Item>>>,
                )
                .kind(__session::FieldKind::Nonce { keyed: true })
                .ttl(90000),
                __session::Field::new(
                    "once",
                    "Option<Item>",
                    Self::ONCE.codec(),
                    __session::default::<Option<Item>>,
                )
                .write_once()
                .null_is_absent(),
                __session::Field::new("type", "u8", Self::TYPE.codec(), __session::default::<u8>),
            ],
        );
        fn __snapshot(__session_handle: &__session::Handle<Self>) -> Self {
            Self {
                integer: __session_handle.__owned(Self::INTEGER),
                flag: __session_handle.__owned(Self::FLAG),
                text: __session_handle.__owned(Self::TEXT),
                list: __session_handle.__owned(Self::LIST),
                optional_integer: __session_handle.__owned(Self::OPTIONAL_INTEGER),
                optional_text: __session_handle.__owned(Self::OPTIONAL_TEXT),
                optional_list: __session_handle.__owned(Self::OPTIONAL_LIST),
                optional_other: __session_handle.__owned(Self::OPTIONAL_OTHER),
                other: __session_handle.__owned(Self::OTHER),
                copied: __session_handle.__owned(Self::COPIED),
                optional_copied: __session_handle.__owned(Self::OPTIONAL_COPIED),
                signed: __session_handle.__owned(Self::SIGNED),
                flash: __session_handle.__owned(Self::FLASH),
                text_nonce: ::core::option::Option::None,
                nonce: ::core::option::Option::None,
                text_nonces: ::core::default::Default::default(),
                nonces: ::core::default::Default::default(),
                once: __session_handle.__owned(Self::ONCE),
                r#type: __session_handle.__owned(Self::TYPE),
            }
        }
        fn __replace(self, __session_handle: &mut __session::Handle<Self>) {
            __session_handle.__put(Self::INTEGER, self.integer);
            __session_handle.__put(Self::FLAG, self.flag);
            __session_handle.__put(Self::TEXT, self.text);
            __session_handle.__put(Self::LIST, self.list);
            __session_handle.__put(Self::OPTIONAL_INTEGER, self.optional_integer);
            __session_handle.__put(Self::OPTIONAL_TEXT, self.optional_text);
            __session_handle.__put(Self::OPTIONAL_LIST, self.optional_list);
            __session_handle.__put(Self::OPTIONAL_OTHER, self.optional_other);
            __session_handle.__put(Self::OTHER, self.other);
            __session_handle.__put(Self::COPIED, self.copied);
            __session_handle.__put(Self::OPTIONAL_COPIED, self.optional_copied);
            __session_handle.__put(Self::SIGNED, self.signed);
            __session_handle.__put(Self::FLASH, self.flash);
            let _ = &self.text_nonce;
            let _ = &self.nonce;
            let _ = &self.text_nonces;
            let _ = &self.nonces;
            __session_handle.__put(Self::ONCE, self.once);
            __session_handle.__put(Self::TYPE, self.r#type);
        }
    }
    #[automatically_derived]
    impl __session::SessionHandle for RowsSession {
        type Schema = Rows;
    }
    #[automatically_derived]
    impl ::core::convert::From<__session::Handle<Rows>> for RowsSession {
        fn from(__session_handle: __session::Handle<Rows>) -> Self {
            Self { __session_handle }
        }
    }
    #[automatically_derived]
    impl ::core::ops::Deref for RowsSession {
        type Target = __session::Handle<Rows>;
        fn deref(&self) -> &Self::Target {
            &self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::ops::DerefMut for RowsSession {
        fn deref_mut(&mut self) -> &mut Self::Target {
            &mut self.__session_handle
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for RowsSession {
        fn fmt(&self, __session_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::core::fmt::Debug::fmt(&self.__session_handle, __session_f)
        }
    }
    impl RowsSession {
        #[doc = " Returns `integer`."]
        #[must_use]
        pub(crate) fn integer(&self) -> i128 {
            *self.__session_handle.get(Rows::INTEGER)
        }
        #[doc = " Sets `integer`."]
        pub(crate) fn set_integer(&mut self, value: i128) {
            self.__session_handle.set(Rows::INTEGER, value);
        }
        #[doc = " Returns `flag`."]
        #[must_use]
        pub(crate) fn flag(&self) -> bool {
            *self.__session_handle.get(Rows::FLAG)
        }
        #[doc = " Sets `flag`."]
        pub(crate) fn set_flag(&mut self, value: bool) {
            self.__session_handle.set(Rows::FLAG, value);
        }
        #[doc = " Returns `text`."]
        #[must_use]
        pub(crate) fn text(&self) -> &str {
            self.__session_handle.get(Rows::TEXT).as_str()
        }
        #[doc = " Sets `text`."]
        pub(crate) fn set_text(&mut self, value: impl ::core::convert::Into<std::string::String>) {
            self.__session_handle.set(Rows::TEXT, ::core::convert::Into::into(value));
        }
        #[doc = " Returns `text` to be changed in place; it is stored if its value differs."]
        pub(crate) fn text_mut(&mut self) -> &mut std::string::String {
            self.__session_handle.__value_mut(Rows::TEXT)
        }
        #[doc = " Returns `list`."]
        #[must_use]
        pub(crate) fn list(&self) -> &[Item] {
            self.__session_handle.get(Rows::LIST).as_slice()
        }
        #[doc = " Sets `list`."]
        pub(crate) fn set_list(&mut self, value: Vec<Item>) {
            self.__session_handle.set(Rows::LIST, value);
        }
        #[doc = " Returns `list` to be changed in place; it is stored if its value differs."]
        pub(crate) fn list_mut(&mut self) -> &mut Vec<Item> {
            self.__session_handle.__value_mut(Rows::LIST)
        }
        #[doc = " Returns `optional_integer`."]
        #[must_use]
        pub(crate) fn optional_integer(&self) -> ::core::option::Option<u8> {
            *self.__session_handle.get(Rows::OPTIONAL_INTEGER)
        }
        #[doc = " Sets `optional_integer`."]
        pub(crate) fn set_optional_integer(&mut self, value: u8) {
            self.__session_handle.set(Rows::OPTIONAL_INTEGER, ::core::option::Option::Some(value));
        }
        #[doc = " Sets `optional_integer` to `None`."]
        pub(crate) fn clear_optional_integer(&mut self) {
            self.__session_handle.reset(Rows::OPTIONAL_INTEGER);
        }
        #[doc = " Sets `optional_integer` to `None` and returns what it was."]
        pub(crate) fn take_optional_integer(&mut self) -> Option<u8> {
            ::core::mem::take(self.__session_handle.__value_mut(Rows::OPTIONAL_INTEGER))
        }
        #[doc = " Returns `optional_integer` to be changed in place; it is stored if its value differs."]
        pub(crate) fn optional_integer_mut(&mut self) -> &mut Option<u8> {
            self.__session_handle.__value_mut(Rows::OPTIONAL_INTEGER)
        }
        #[doc = " Returns `optional_text`."]
        #[must_use]
        pub(crate) fn optional_text(&self) -> ::core::option::Option<&str> {
            self.__session_handle.get(Rows::OPTIONAL_TEXT).as_deref()
        }
        #[doc = " Sets `optional_text`."]
        pub(crate) fn set_optional_text(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle.set(
                Rows::OPTIONAL_TEXT,
                ::core::option::Option::Some(::core::convert::Into::into(value)),
            );
        }
        #[doc = " Sets `optional_text` to `None`."]
        pub(crate) fn clear_optional_text(&mut self) {
            self.__session_handle.reset(Rows::OPTIONAL_TEXT);
        }
        #[doc = " Sets `optional_text` to `None` and returns what it was."]
        pub(crate) fn take_optional_text(&mut self) -> Option<String> {
            ::core::mem::take(self.__session_handle.__value_mut(Rows::OPTIONAL_TEXT))
        }
        #[doc = " Returns `optional_text` to be changed in place; it is stored if its value differs."]
        pub(crate) fn optional_text_mut(&mut self) -> &mut Option<String> {
            self.__session_handle.__value_mut(Rows::OPTIONAL_TEXT)
        }
        #[doc = " Returns `optional_list`."]
        #[must_use]
        pub(crate) fn optional_list(&self) -> ::core::option::Option<&[u8]> {
            self.__session_handle.get(Rows::OPTIONAL_LIST).as_deref()
        }
        #[doc = " Sets `optional_list`."]
        pub(crate) fn set_optional_list(&mut self, value: Vec<u8>) {
            self.__session_handle.set(Rows::OPTIONAL_LIST, ::core::option::Option::Some(value));
        }
        #[doc = " Sets `optional_list` to `None`."]
        pub(crate) fn clear_optional_list(&mut self) {
            self.__session_handle.reset(Rows::OPTIONAL_LIST);
        }
        #[doc = " Sets `optional_list` to `None` and returns what it was."]
        pub(crate) fn take_optional_list(&mut self) -> Option<Vec<u8>> {
            ::core::mem::take(self.__session_handle.__value_mut(Rows::OPTIONAL_LIST))
        }
        #[doc = " Returns `optional_list` to be changed in place; it is stored if its value differs."]
        pub(crate) fn optional_list_mut(&mut self) -> &mut Option<Vec<u8>> {
            self.__session_handle.__value_mut(Rows::OPTIONAL_LIST)
        }
        #[doc = " Returns `optional_other`."]
        #[must_use]
        pub(crate) fn optional_other(&self) -> ::core::option::Option<&Item> {
            self.__session_handle.get(Rows::OPTIONAL_OTHER).as_ref()
        }
        #[doc = " Sets `optional_other`."]
        pub(crate) fn set_optional_other(&mut self, value: Item) {
            self.__session_handle.set(Rows::OPTIONAL_OTHER, ::core::option::Option::Some(value));
        }
        #[doc = " Sets `optional_other` to `None`."]
        pub(crate) fn clear_optional_other(&mut self) {
            self.__session_handle.reset(Rows::OPTIONAL_OTHER);
        }
        #[doc = " Sets `optional_other` to `None` and returns what it was."]
        pub(crate) fn take_optional_other(&mut self) -> core::option::Option<Item> {
            ::core::mem::take(self.__session_handle.__value_mut(Rows::OPTIONAL_OTHER))
        }
        #[doc = " Returns `optional_other` to be changed in place; it is stored if its value differs."]
        pub(crate) fn optional_other_mut(&mut self) -> &mut core::option::Option<Item> {
            self.__session_handle.__value_mut(Rows::OPTIONAL_OTHER)
        }
        #[doc = " Returns `other`."]
        #[must_use]
        pub(crate) fn other(&self) -> &HashMap<String, Item> {
            self.__session_handle.get(Rows::OTHER)
        }
        #[doc = " Sets `other`."]
        pub(crate) fn set_other(&mut self, value: HashMap<String, Item>) {
            self.__session_handle.set(Rows::OTHER, value);
        }
        #[doc = " Returns `other` to be changed in place; it is stored if its value differs."]
        pub(crate) fn other_mut(&mut self) -> &mut HashMap<String, Item> {
            self.__session_handle.__value_mut(Rows::OTHER)
        }
        #[doc = " Returns `copied`."]
        #[must_use]
        pub(crate) fn copied(&self) -> Point {
            __session::copied(self.__session_handle.get(Rows::COPIED))
        }
        #[doc = " Sets `copied`."]
        pub(crate) fn set_copied(&mut self, value: Point) {
            self.__session_handle.set(Rows::COPIED, value);
        }
        #[doc = " Returns `copied` to be changed in place; it is stored if its value differs."]
        pub(crate) fn copied_mut(&mut self) -> &mut Point {
            self.__session_handle.__value_mut(Rows::COPIED)
        }
        #[doc = " Returns `optional_copied`."]
        #[must_use]
        pub(crate) fn optional_copied(&self) -> ::core::option::Option<Point> {
            __session::copied(self.__session_handle.get(Rows::OPTIONAL_COPIED))
        }
        #[doc = " Sets `optional_copied`."]
        pub(crate) fn set_optional_copied(&mut self, value: Point) {
            self.__session_handle.set(Rows::OPTIONAL_COPIED, ::core::option::Option::Some(value));
        }
        #[doc = " Sets `optional_copied` to `None`."]
        pub(crate) fn clear_optional_copied(&mut self) {
            self.__session_handle.reset(Rows::OPTIONAL_COPIED);
        }
        #[doc = " Sets `optional_copied` to `None` and returns what it was."]
        pub(crate) fn take_optional_copied(&mut self) -> Option<Point> {
            ::core::mem::take(self.__session_handle.__value_mut(Rows::OPTIONAL_COPIED))
        }
        #[doc = " Returns `optional_copied` to be changed in place; it is stored if its value differs."]
        pub(crate) fn optional_copied_mut(&mut self) -> &mut Option<Point> {
            self.__session_handle.__value_mut(Rows::OPTIONAL_COPIED)
        }
        #[doc = " Returns `signed`."]
        #[must_use]
        pub(crate) fn signed(&self) -> i64 {
            *self.__session_handle.get(Rows::SIGNED)
        }
        #[doc = " Sets `signed`."]
        pub(crate) fn set_signed(&mut self, value: i64) {
            self.__session_handle.set(Rows::SIGNED, value);
        }
        #[doc = " Adds to `signed`; merges with what other requests add meanwhile."]
        pub(crate) fn add_signed(&mut self, delta: i64) {
            self.__session_handle.add(Rows::SIGNED, delta);
        }
        #[doc = " Returns `flash`, once: it is removed when the request commits."]
        pub(crate) fn take_flash(&mut self) -> Item {
            self.__session_handle.take(Rows::FLASH)
        }
        #[doc = " Sets `flash`, to be taken once."]
        pub(crate) fn set_flash(&mut self, value: Item) {
            self.__session_handle.set(Rows::FLASH, value);
        }
        #[doc = " Takes `text_nonce` out of the store, now: at most one of all concurrent requests gets it."]
        #[doc = "\n # Errors\n\n If the session ended, or its user signed in or out, meanwhile; if the store cannot answer; if its\n answer was lost, and the value may be gone with it."]
        pub(crate) async fn consume_text_nonce(
            &mut self,
        ) -> ::core::result::Result<::core::option::Option<String>, __session::SessionError>
        {
            self.__session_handle.consume(Rows::TEXT_NONCE).await
        }
        #[doc = " Sets `text_nonce`, to be consumed once."]
        pub(crate) fn set_text_nonce(&mut self, value: impl ::core::convert::Into<String>) {
            self.__session_handle.set(Rows::TEXT_NONCE, ::core::convert::Into::into(value));
        }
        #[doc = " Takes `nonce` out of the store, now: at most one of all concurrent requests gets it."]
        #[doc = "\n # Errors\n\n If the session ended, or its user signed in or out, meanwhile; if the store cannot answer; if its\n answer was lost, and the value may be gone with it."]
        pub(crate) async fn consume_nonce(
            &mut self,
        ) -> ::core::result::Result<::core::option::Option<Item>, __session::SessionError> {
            self.__session_handle.consume(Rows::NONCE).await
        }
        #[doc = " Sets `nonce`, to be consumed once."]
        pub(crate) fn set_nonce(&mut self, value: Item) {
            self.__session_handle.set(Rows::NONCE, value);
        }
        #[doc = " Takes the `text_nonces` of `key` out of the store, now: at most one of all concurrent requests gets it."]
        #[doc = "\n # Errors\n\n If the session ended, or its user signed in or out, meanwhile; if the store cannot answer; if its\n answer was lost, and the value may be gone with it."]
        pub(crate) async fn consume_text_nonces(
            &mut self,
            key: &str,
        ) -> ::core::result::Result<::core::option::Option<String>, __session::SessionError>
        {
            self.__session_handle.consume_keyed(Rows::TEXT_NONCES, key).await
        }
        #[doc = " Sets `text_nonces` under `key`, beside those under other keys; each is consumed once."]
        pub(crate) fn set_text_nonces(
            &mut self,
            key: impl ::core::convert::Into<String>,
            value: impl ::core::convert::Into<String>,
        ) {
            self.__session_handle.set_keyed(
                Rows::TEXT_NONCES,
                key,
                ::core::convert::Into::into(value),
            );
        }
        #[doc = " Takes the `nonces` of `key` out of the store, now: at most one of all concurrent requests gets it.\n"]
        #[doc = " In the user's words."]
        #[doc = "\n # Errors\n\n If the session ended, or its user signed in or out, meanwhile; if the store cannot answer; if its\n answer was lost, and the value may be gone with it."]
        pub(crate) async fn consume_nonces(
            &mut self,
            key: &str,
        ) -> ::core::result::Result<::core::option::Option<Option<Item>>, __session::SessionError>
        {
            self.__session_handle.consume_keyed(Rows::NONCES, key).await
        }
        #[doc = " Sets `nonces` under `key`, beside those under other keys; each is consumed once.\n"]
        #[doc = " In the user's words."]
        pub(crate) fn set_nonces(
            &mut self,
            key: impl ::core::convert::Into<std::string::String>,
            value: Option<Item>,
        ) {
            self.__session_handle.set_keyed(Rows::NONCES, key, value);
        }
        #[doc = " Returns `once`."]
        #[must_use]
        pub(crate) fn once(&self) -> ::core::option::Option<&Item> {
            self.__session_handle.get(Rows::ONCE).as_ref()
        }
        #[doc = " Sets `once`, once: when another value is stored already, that one stays."]
        pub(crate) fn set_once(&mut self, value: Item) {
            self.__session_handle.set(Rows::ONCE, ::core::option::Option::Some(value));
        }
        #[doc = " Returns `type`."]
        #[must_use]
        pub(crate) fn r#type(&self) -> u8 {
            *self.__session_handle.get(Rows::TYPE)
        }
        #[doc = " Sets `type`."]
        pub(crate) fn set_type(&mut self, value: u8) {
            self.__session_handle.set(Rows::TYPE, value);
        }
    }
    __session::extractors!(RowsSession);
};
