//! A struct changed under stored sessions: no request fails for it, and
//! nothing is lost that nobody asked to lose.

use std::collections::BTreeMap;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::post;
use http::request::Parts;
use session_runtime::__private::patch::{FieldOp, Op, Patch};
use session_runtime::__private::record::Record;
use session_runtime::__private::token::SessionToken;
use session_runtime::store::{
    AnyStore, SessionStore,
    contract::{EndReason, Lookup, Touch},
};
use session_runtime::{Realm, Session, SessionLayer, SessionRejection, SessionSchema, session_of};
use session_tests::stores::{Under, all};
use session_tests::{Client, Reply};

/// A browser that meets another release of the program on each visit.
pub(crate) struct Browser {
    store: AnyStore,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn at(under: &Under) -> Self {
        Self { store: under.store.clone(), cookies: BTreeMap::new() }
    }

    async fn send<S: SessionSchema, R: IntoResponse + 'static>(
        &mut self,
        act: fn(&mut Session<S>) -> R,
    ) -> Reply {
        let handler = move |parts: Parts| async move {
            let mut session = session_of::<S>(&parts.extensions, &parts.headers).await?;
            Ok::<_, SessionRejection>(act(&mut session))
        };
        let layer = SessionLayer::new(self.store.clone());
        let app = Router::new().route("/", post(handler)).layer(layer);
        let mut client = Client::new(&app);
        client.cookies = self.cookies.clone();
        let reply = client.post("/").await;
        self.cookies = client.cookies;
        reply
    }

    /// A request to a release with the schema `S`.
    pub(crate) async fn visit<S: SessionSchema>(
        &mut self,
        act: fn(&mut Session<S>) -> String,
    ) -> Reply {
        self.send::<S, String>(act).await
    }

    /// What a successful request says.
    pub(crate) async fn says<S: SessionSchema>(
        &mut self,
        act: fn(&mut Session<S>) -> String,
    ) -> String {
        let reply = self.send::<S, String>(act).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// A successful request that changes something.
    pub(crate) async fn does<S: SessionSchema>(&mut self, act: fn(&mut Session<S>)) {
        assert_eq!(self.send::<S, ()>(act).await.status, 200);
    }

    async fn record(&self) -> Record {
        let token = SessionToken::parse(&self.cookies["__Host-session"]).unwrap();
        let hash = token.secret_hash(&Realm::default());
        let hashes = [hash];
        let found = self.store.load(token.id(), &hashes, Touch::Never.into());
        match found.await.unwrap() {
            Lookup::Found(record) => Record::clone(&record),
            other => panic!("{other:?}"),
        }
    }

    /// The stored fields, byte for byte.
    pub(crate) async fn stored(&self) -> BTreeMap<String, String> {
        let fields = self.record().await.fields;
        let text = |json: &[u8]| String::from_utf8(json.to_vec()).unwrap();
        fields.iter().map(|(name, json)| (name.to_owned(), text(json))).collect()
    }

    /// Stores JSON as some release did.
    pub(crate) async fn plant(&self, fields: &[(&'static str, &str)]) {
        let record = self.record().await;
        let set = |(name, json): &(&'static str, &str)| FieldOp::new(*name, Op::set(*json));
        let patch = Patch::of(fields.iter().map(set).collect());
        self.store.apply(record.id, record.meta.epoch, &patch, None).await.unwrap();
    }
}

pub(crate) fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, json)| ((*name).to_owned(), (*json).to_owned())).collect()
}

/// What was released.
mod released {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        #[session(principal)]
        pub(super) user_id: Option<u64>,
        #[session(default = "en")]
        pub(super) locale: String,
        #[session(counter)]
        pub(super) visits: u64,
        pub(super) basket: Vec<String>,
        pub(super) nickname: Option<String>,
        pub(super) page: String,
        pub(super) limit: u32,
    }
}

use released::Visitor as Released;

fn fill(s: &mut Session<Released>) {
    s.set_user_id(7);
    s.set_locale("de");
    s.add_visits(3);
    s.set_basket(vec!["pen".into()]);
    s.set_nickname("bo");
    s.set_page("home");
    s.set_limit(20);
}

fn show(s: &mut Session<Released>) -> String {
    let (user, nickname) = (s.user_id(), s.nickname().map(str::to_owned));
    format!(
        "{user:?} {} {} {:?} {nickname:?} {} {}",
        s.locale(),
        s.visits(),
        s.basket(),
        s.page(),
        s.limit()
    )
}

const SHOWN: &str = r#"Some(7) de 3 ["pen"] Some("bo") home 20"#;

/// How the released struct is stored. A change of these lines ends the sessions
/// of everybody who updates this crate.
const GOLDEN: &[(&str, &str)] = &[
    ("user_id", "7"),
    ("locale", "\"de\""),
    ("visits", "3"),
    ("basket", "[\"pen\"]"),
    ("nickname", "\"bo\""),
    ("page", "\"home\""),
    ("limit", "20"),
];

async fn browsers() -> Vec<(Browser, Under)> {
    let mut browsers = Vec::new();
    for under in all().await {
        let mut browser = Browser::at(&under);
        browser.does::<Released>(fill).await;
        browsers.push((browser, under));
    }
    browsers
}

#[tokio::test]
async fn what_is_stored_is_the_plain_json_that_every_release_reads() {
    for (mut browser, under) in browsers().await {
        assert_eq!(browser.stored().await, fields(GOLDEN), "{}", under.name);
        browser.plant(GOLDEN).await;
        assert_eq!(browser.says::<Released>(show).await, SHOWN);
        // JSON that another encoder wrote.
        browser.plant(&[("basket", " [ \"p\\u0065n\" ] "), ("limit", "20 ")]).await;
        assert_eq!(browser.says::<Released>(show).await, SHOWN);
    }
}

/// The same fields in another order, with another default, one gone, one new,
/// one renamed, one wider.
mod next {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) limit: u64,
        #[session(alias = "basket")]
        pub(super) cart: Vec<String>,
        pub(super) theme: Option<String>,
        #[session(counter)]
        pub(super) visits: u64,
        #[session(default = "fr")]
        pub(super) locale: String,
        #[session(principal)]
        pub(super) user_id: Option<u64>,
        pub(super) nickname: Option<String>,
    }
}

use next::Visitor as Next;

fn show_next(s: &mut Session<Next>) -> String {
    format!(
        "{:?} {} {} {:?} {:?} {:?} {}",
        s.user_id(),
        s.locale(),
        s.visits(),
        s.cart(),
        s.nickname(),
        s.theme(),
        s.limit()
    )
}

#[tokio::test]
async fn fields_are_added_removed_renamed_reordered_and_widened_without_a_loss() {
    for (mut browser, _under) in browsers().await {
        let shown = r#"Some(7) de 3 ["pen"] Some("bo") None 20"#;
        assert_eq!(browser.says::<Next>(show_next).await, shown);
        assert_eq!(browser.stored().await, fields(GOLDEN), "reading rewrites nothing");
    }
}

#[tokio::test]
async fn another_default_is_for_those_of_whom_nothing_is_stored() {
    for under in all().await {
        let mut browser = Browser::at(&under);
        browser.does::<Released>(|s| s.set_page("home")).await;
        assert_eq!(browser.says::<Released>(|s| s.locale().to_owned()).await, "en");
        assert_eq!(browser.says::<Next>(|s| s.locale().to_owned()).await, "fr");
        // Setting what is the default anyway is a choice that stays.
        browser.does::<Released>(|s| s.set_locale("en")).await;
        assert_eq!(browser.says::<Next>(|s| s.locale().to_owned()).await, "en");
    }
}

#[tokio::test]
async fn fields_that_a_release_does_not_know_outlive_its_writes() {
    for (mut browser, _under) in browsers().await {
        browser
            .does::<Next>(|s| {
                s.set_theme("dark");
                s.set_locale("it");
                s.add_visits(1);
                s.clear_nickname();
            })
            .await;
        let stored = browser.stored().await;
        assert_eq!(stored["page"], "\"home\"", "unknown to the next release");
        browser.does::<Released>(|s| s.set_page("end")).await;
        assert_eq!(browser.stored().await["theme"], "\"dark\"", "unknown to the released one");
        let shown = r#"Some(7) it 4 ["pen"] None end 20"#;
        assert_eq!(browser.says::<Released>(show).await, shown);
    }
}

#[tokio::test]
async fn clearing_resets_the_fields_of_the_schema_and_leaves_the_others() {
    for (mut browser, _under) in browsers().await {
        browser.does::<Next>(|s| s.clear()).await;
        assert_eq!(browser.stored().await, fields(&[("page", "\"home\"")]));
    }
}

#[tokio::test]
async fn two_releases_that_alternate_on_one_session_lose_nothing() {
    for (mut browser, _under) in browsers().await {
        for round in 0..5 {
            browser
                .does::<Next>(|s| {
                    s.add_visits(1);
                    s.set_limit(s.limit() + 1);
                    let theme = format!("{}x", s.theme().unwrap_or_default());
                    s.set_theme(theme);
                })
                .await;
            browser
                .does::<Released>(|s| {
                    s.add_visits(10);
                    s.page_mut().push('!');
                    s.basket_mut().push("ink".into());
                })
                .await;
            // The alias is read until the new name is written.
            let cart = browser.says::<Next>(|s| s.cart().len().to_string()).await;
            assert_eq!(cart, (round + 2).to_string());
        }
        let stored = browser.stored().await;
        for (name, json) in [
            ("visits", "58"),
            ("limit", "25"),
            ("theme", "\"xxxxx\""),
            ("page", "\"home!!!!!\""),
            ("user_id", "7"),
        ] {
            assert_eq!(stored[name], json, "{name}");
        }
    }
}

#[tokio::test]
async fn a_renamed_field_goes_to_its_new_name_and_a_rolled_back_release_finds_the_old_one() {
    for (mut browser, _under) in browsers().await {
        browser.does::<Next>(|s| s.cart_mut().push("ink".into())).await;
        let stored = browser.stored().await;
        assert_eq!(stored["cart"], r#"["pen","ink"]"#);
        assert_eq!(stored["basket"], r#"["pen"]"#, "as the released version left it");
        assert_eq!(browser.says::<Released>(|s| format!("{:?}", s.basket())).await, r#"["pen"]"#);
        browser.does::<Next>(|s| s.reset(Next::CART)).await;
        assert_eq!(browser.says::<Next>(|s| format!("{:?}", s.cart())).await, "[]");
    }
}

/// Fields that do not decode under the released values.
mod retyped {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        #[session(principal)]
        pub(super) user_id: Option<u64>,
        pub(super) basket: std::collections::HashMap<String, u32>,
        #[session(default = 9)]
        pub(super) page: u32,
        #[session(counter)]
        pub(super) nickname: i64,
        #[session(counter)]
        pub(super) hits: u64,
        #[session(flash)]
        pub(super) locale: Option<Vec<u8>>,
        pub(super) limit: u8,
        pub(super) visits: u64,
    }
}

use retyped::Visitor as Retyped;

#[tokio::test]
async fn retyped_fields_read_as_their_defaults_and_a_rolled_back_release_finds_its_bytes() {
    for (mut browser, _under) in browsers().await {
        let shown = browser
            .says::<Retyped>(|s| {
                let taken = s.take_locale();
                s.add_nickname(1);
                s.add_hits(1);
                s.set_visits(s.visits() + 1);
                format!("{:?} {} {} {taken:?} {}", s.basket(), s.page(), s.nickname(), s.limit())
            })
            .await;
        assert_eq!(shown, "{} 9 1 None 20");
        let mut golden = fields(GOLDEN);
        golden.insert("visits".into(), "4".into());
        golden.insert("hits".into(), "1".into());
        assert_eq!(browser.stored().await, golden, "what could not be read was left alone");
        browser.does::<Retyped>(|s| s.set_page(1)).await;
        let page = browser.says::<Released>(|s| format!("{:?} {:?}", s.page(), s.basket())).await;
        assert_eq!(page, r#""" ["pen"]"#, "only what was set is of the new type");
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_for_a_narrower_type_is_kept() {
    for (mut browser, _under) in browsers().await {
        browser.does::<Released>(|s| s.set_limit(300)).await;
        assert_eq!(browser.says::<Retyped>(|s| s.limit().to_string()).await, "0");
        assert_eq!(browser.says::<Released>(|s| s.limit().to_string()).await, "300");
    }
}

mod optional {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) page: Option<String>,
        #[session(default = "nobody")]
        pub(super) nickname: String,
        pub(super) basket: Option<Vec<String>>,
    }
}

use optional::Visitor as Optional;

#[tokio::test]
async fn a_field_that_becomes_an_option_or_ceases_to_be_one_keeps_its_value() {
    for (mut browser, _under) in browsers().await {
        let shown =
            |s: &mut Session<Optional>| format!("{:?} {} {:?}", s.page(), s.nickname(), s.basket());
        assert_eq!(browser.says::<Optional>(shown).await, r#"Some("home") bo Some(["pen"])"#);
        browser.does::<Optional>(|s| s.clear_page()).await;
        browser.does::<Released>(|s| s.clear_nickname()).await;
        let shown = browser.says::<Optional>(shown).await;
        assert_eq!(shown, r#"None nobody Some(["pen"])"#, "`None` is stored as nothing");
        assert_eq!(browser.says::<Released>(|s| s.page().to_owned()).await, "");
        // As an `Option` with a default of its own stores `None`.
        browser.plant(&[("nickname", "null")]).await;
        assert_eq!(browser.says::<Optional>(|s| s.nickname().to_owned()).await, "nobody");
        assert_eq!(browser.stored().await["nickname"], "null", "kept");
    }
}

mod kinds {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) visits: u64,
        #[session(counter)]
        pub(super) limit: u64,
        #[session(flash)]
        pub(super) page: Option<String>,
    }
}

use kinds::Visitor as Kinds;

#[tokio::test]
async fn a_kind_that_changes_reads_what_was_stored() {
    for (mut browser, _under) in browsers().await {
        let shown = browser
            .says::<Kinds>(|s| {
                s.add_limit(5);
                s.set_visits(s.visits() * 2);
                format!("{:?}", s.take_page())
            })
            .await;
        assert_eq!(shown, r#"Some("home")"#);
        assert_eq!(browser.says::<Kinds>(|s| format!("{:?}", s.take_page())).await, "None");
        let shown = r#"Some(7) de 6 ["pen"] Some("bo")  25"#;
        assert_eq!(browser.says::<Released>(show).await, shown);
    }
}

mod strict {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Fails {
        #[session(on_invalid = error)]
        pub(super) page: u32,
    }

    #[derive(SessionSchema)]
    pub(super) struct Ends {
        #[session(on_invalid = drop_session)]
        pub(super) page: u32,
    }

    #[derive(SessionSchema)]
    pub(super) struct Reads {
        #[session(on_invalid = default)]
        pub(super) page: u32,
    }

    /// What is strict about fields that nobody changed.
    #[derive(SessionSchema)]
    pub(super) struct Unharmed {
        #[session(on_invalid = error)]
        pub(super) page: String,
        #[session(on_invalid = drop_session)]
        pub(super) limit: u64,
        #[session(on_invalid = error)]
        pub(super) added: u32,
    }
}

#[tokio::test]
async fn each_policy_for_what_does_not_decode_does_what_it_says_and_no_more() {
    for (mut browser, _under) in browsers().await {
        let shown =
            |s: &mut Session<strict::Unharmed>| format!("{} {} {}", s.page(), s.limit(), s.added());
        assert_eq!(browser.says::<strict::Unharmed>(shown).await, "home 20 0");
        assert_eq!(browser.says::<strict::Reads>(|s| s.page().to_string()).await, "0");
        let reply = browser.visit::<strict::Fails>(|s| s.page().to_string()).await;
        assert_eq!((reply.status.as_u16(), reply.set_cookie()), (500, None), "as was asked for");
        assert_eq!(browser.stored().await, fields(GOLDEN));
        assert_eq!(browser.says::<strict::Ends>(|s| s.page().to_string()).await, "0");
        assert!(browser.cookies.is_empty(), "the session was ended");
    }
}

#[tokio::test]
async fn records_that_nobody_can_decode_are_listed_revoked_and_swept_like_others() {
    const JUNK: &[(&str, &str)] = &[
        ("locale", "{not json"),
        ("visits", "\"many\""),
        ("basket", ""),
        ("limit", "\u{0}"),
        ("made_up", "[[["),
    ];
    for under in all().await {
        let manager = SessionLayer::new(under.store.clone()).schema::<Released>().manager();
        let mut others = Vec::new();
        for _ in 0..3 {
            let mut browser = Browser::at(&under);
            browser.does::<Released>(fill).await;
            browser.plant(JUNK).await;
            others.push(browser);
        }
        let mut browser = others.pop().unwrap();
        let shown = r#"Some(7) en 0 [] Some("bo") home 0"#;
        assert_eq!(browser.says::<Released>(show).await, shown);
        assert_eq!(browser.stored().await["basket"], "", "kept as it is");
        let listed = manager.sessions_of(&7_u64).await.unwrap();
        assert_eq!(listed.len(), 3);
        let id = browser.record().await.id;
        assert!(manager.revoke(&7_u64, id).await.unwrap());
        let id = others.pop().unwrap().record().await.id;
        assert!(under.store.delete(id, EndReason::SignedOut).await.unwrap());
        let mut last = others.pop().unwrap();
        last.does::<Released>(|s| s.set_locale("fr")).await;
        under.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
        while under.store.sweep(100).await.unwrap().removed > 0 {}
        assert_eq!(under.store.count().await.unwrap(), 0);
        assert!(manager.sessions_of(&7_u64).await.unwrap().is_empty());
    }
}

mod principals {
    use session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Wider {
        #[session(principal)]
        pub(super) user_id: Option<u128>,
    }

    #[derive(SessionSchema)]
    pub(super) struct Renamed {
        #[session(principal, alias = "user_id")]
        pub(super) account: Option<u64>,
    }

    #[derive(SessionSchema)]
    pub(super) struct Another {
        #[session(principal)]
        pub(super) user_id: Option<String>,
    }
}

#[tokio::test]
async fn who_is_signed_in_stays_so_where_the_principal_reads_and_is_never_deleted() {
    for (mut browser, _under) in browsers().await {
        let user = browser.says::<principals::Wider>(|s| format!("{:?}", s.user_id())).await;
        assert_eq!(user, "Some(7)");
        let user = browser.says::<principals::Renamed>(|s| format!("{:?}", s.account())).await;
        assert_eq!(user, "Some(7)");
        let user = browser.says::<principals::Another>(|s| format!("{:?}", s.user_id())).await;
        assert_eq!(user, "None", "nobody, and no error");
        assert_eq!(browser.says::<Released>(show).await, SHOWN, "a rolled-back release finds it");
    }
}
