//! Every option of fields and structs, with the accessors that come of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use session_runtime::schema::{
    ConflictPolicy, Field, FieldKind, KeyedNonceKey, MigrateError, Migration, NonceKey,
};
use session_runtime::{Session, SessionError, SessionSchema};

#[derive(Serialize, Deserialize, Clone)]
pub struct Flow {
    verifier: String,
}

/// Has no serde of its own.
pub struct Foreign(u8);

mod foreign {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &super::Foreign, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(value.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<super::Foreign, D::Error> {
        u8::deserialize(from).map(super::Foreign)
    }
}

fn upgrade(migration: &mut Migration<'_>) -> Result<(), MigrateError> {
    migration.rename("basket", "cart");
    Ok(())
}

/// Slices and `str` will do, because arguments are dereferenced.
fn union(base: &[String], stored: &[String], mut mine: Vec<String>) -> Vec<String> {
    mine.extend(stored.iter().filter(|item| !base.contains(item)).cloned());
    mine
}

fn longer(_base: &str, stored: &str, mine: String) -> String {
    if stored.len() > mine.len() { stored.to_owned() } else { mine }
}

impl Visitor {
    fn larger(_base: &Option<u8>, stored: &Option<u8>, mine: Option<u8>) -> Option<u8> {
        mine.max(*stored)
    }

    fn newest<T>(_: &T, _: &T, mine: T) -> T {
        mine
    }
}

#[derive(SessionSchema)]
#[session(version = 2, namespace = "my-shop_2", migrate = upgrade)]
pub struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(merge = union, alias = "basket", ttl = "7d", renew, secret)]
    cart: Vec<String>,
    #[session(merge = "longer", default = "en", clear_on_login, listed)]
    locale: String,
    #[session(merge = Visitor::larger)]
    largest: Option<u8>,
    #[session(merge = Self::newest, with = foreign, default = Foreign(1))]
    foreign: Foreign,
    #[session(compare, listed, on_invalid = error)]
    seats: u32,
    #[session(write_once, listed, carry_over)]
    campaign: Option<String>,
    #[session(write_once, copy)]
    seed: u64,
    #[session(nonce)]
    code: Option<String>,
    #[session(nonce, ttl = "250ms", secret, clear_on_login, rename = "stored", alias = "former")]
    timed: std::option::Option<Flow>,
    #[session(nonce, with = "foreign")]
    foreign_nonce: Option<Foreign>,
    #[session(nonce)]
    nested: Option<Option<u8>>,
    #[session(nonce = keyed, ttl = "10m")]
    states: HashMap<String, String>,
    #[session(nonce = keyed, ttl = "90s", secret)]
    flows: std::collections::BTreeMap<std::string::String, Flow>,
    #[session(nonce = keyed, with = "foreign", ttl = "1h")]
    foreigners: BTreeMap<String, Foreign>,
    #[session(flash, ttl = "400d", secret)]
    notice: Option<String>,
    #[session(counter, listed, renew, clear_on_login)]
    visits: u64,
}

pub async fn uses(session: &mut Session<Visitor>) -> Result<(), SessionError> {
    session.cart_mut().push(String::new());
    session.set_largest(3);
    let _: Option<&str> = session.campaign();
    session.set_campaign("spring");
    let _: u64 = session.seed();
    session.set_seed(1);

    session.set_code("1234");
    let _: Option<String> = session.consume_code().await?;
    session.set_timed(Flow { verifier: String::new() });
    let _: Option<String> = session.consume_timed().await?.map(|flow| flow.verifier);
    session.set_foreign_nonce(Foreign(1));
    let _: Option<Foreign> = session.consume_foreign_nonce().await?;
    session.set_nested(None);
    let _: Option<Option<u8>> = session.consume_nested().await?;
    session.set_states("state", "verifier");
    let _: Option<String> = session.consume_states("state").await?;
    session.set_flows(String::from("state"), Flow { verifier: String::new() });
    let _: Option<Flow> = session.consume_flows("state").await?;
    session.set_foreigners("a", Foreign(2));
    let _: Option<Foreign> = session.consume_foreigners("a").await?;

    let code: NonceKey<Visitor, String> = Visitor::CODE;
    let _: Option<String> = session.consume(code).await?;
    let states: KeyedNonceKey<Visitor, String> = Visitor::STATES;
    session.set_keyed(states, "state", String::new());
    let _ = (session.consume_keyed(states, "state").await?, session.changed(states));
    session.reset(Visitor::CODE);
    Ok(())
}

/// A handler's future must be `Send`.
fn is_send(session: &mut Session<Visitor>) -> impl Send {
    uses(session)
}

fn field(name: &str) -> &'static Field {
    Visitor::SCHEMA.fields.iter().find(|field| field.name == name).unwrap()
}

fn main() {
    let _ = is_send;
    assert_eq!(Visitor::SCHEMA.namespace, "my-shop_2");
    assert_eq!(Visitor::SCHEMA.version, 2);
    assert!(Visitor::SCHEMA.migrate.is_some());

    let cart = field("my-shop_2:cart");
    assert_eq!(cart.aliases, ["my-shop_2:basket"]);
    assert_eq!(cart.ttl, Some(Duration::from_secs(7 * 24 * 60 * 60)));
    assert!(cart.renew && cart.secret && !cart.listed && !cart.clear_on_login);
    let ConflictPolicy::Merge(merge) = cart.conflict else { panic!("{:?}", cart.conflict) };
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let merged = merge(&list(&["a"]), &list(&["a", "b"]), Box::new(list(&["c"])));
    assert_eq!(merged.downcast_ref(), Some(&list(&["c", "b"])));

    let locale = field("my-shop_2:locale");
    assert!(locale.clear_on_login && locale.listed && !locale.secret);
    assert!(matches!(locale.conflict, ConflictPolicy::Merge(_)));
    assert_eq!(field("my-shop_2:seats").conflict, ConflictPolicy::Compare);
    assert_eq!(field("my-shop_2:campaign").conflict, ConflictPolicy::WriteOnce);
    assert!(field("my-shop_2:campaign").carry_over && !locale.carry_over);
    assert_eq!(field("my-shop_2:visits").conflict, ConflictPolicy::LastWins);

    let timed = field("my-shop_2:stored");
    assert_eq!(timed.kind, FieldKind::Nonce { keyed: false });
    assert_eq!(timed.ttl, Some(Duration::from_millis(250)));
    assert_eq!(timed.type_name, "std::option::Option<Flow>");
    assert!(timed.secret && timed.clear_on_login && !timed.null_is_absent);
    assert_eq!(field("my-shop_2:flows").kind, FieldKind::Nonce { keyed: true });
    assert_eq!(field("my-shop_2:states").ttl, Some(Duration::from_secs(600)));
    assert_eq!(Visitor::TIMED.name(), "my-shop_2:stored");
}
