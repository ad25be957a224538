//! Every row of the table of accessors, with its signature.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use session_runtime::{Session, SessionSchema};

#[derive(Serialize, Deserialize, Default, Clone, Copy, PartialEq)]
struct Point(i32, i32);

#[derive(Serialize, Deserialize, Default)]
struct Item;

/// Has no serde of its own, and no default.
struct Foreign(u8);

mod foreign {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &super::Foreign, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(value.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<super::Foreign, D::Error> {
        u8::deserialize(from).map(super::Foreign)
    }
}

fn ten() -> u32 {
    10
}

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(default = "en")]
    locale: String,
    #[session(counter)]
    visits: u64,
    #[session(counter)]
    balance: i64,
    #[session(alias = "basket", alias("trolley", "bag"))]
    cart: Vec<String>,
    #[session(flash)]
    notice: Option<String>,
    #[session(flash)]
    warning: String,
    #[session(flash)]
    jump: Option<Point>,
    #[session(flash)]
    notices: Vec<String>,
    #[session(flash)]
    points: Option<Vec<Point>>,
    wide: i128,
    narrow: std::primitive::u8,
    ratio: f32,
    agreed: bool,
    letter: char,
    name: std::option::Option<std::string::String>,
    tags: Option<Vec<u8>>,
    item: Option<Item>,
    other: Item,
    map: HashMap<String, Vec<u8>>,
    #[session(copy)]
    point: Point,
    #[session(copy)]
    last_point: Option<Point>,
    #[session(default = 10)]
    page_size: Option<u32>,
    #[session(default = ten())]
    limit: u32,
    #[session(default = vec![1, 2])]
    seeds: Vec<u8>,
    #[session(default = HashMap::<String, u8>::new(), renew)]
    roles: HashMap<String, u8>,
    #[session(default)]
    theme: String,
    #[session(with = "foreign", default = Foreign(7), rename = "alien")]
    foreign: Foreign,
    #[session(with = foreign, default = if cfg!(test) { Foreign(8) } else { Foreign(9) }, on_invalid = drop_session)]
    another: Foreign,
    #[session(on_invalid = error)]
    checked: u8,
    #[session(skip)]
    cache: Option<std::time::Instant>,
    r#type: u8,
    r#match: Option<String>,
}

#[allow(clippy::too_many_lines)]
pub fn uses(session: &mut Session<Visitor>) {
    let _: Option<u64> = session.user_id();
    session.set_user_id(1);
    session.clear_user_id();
    let _: Option<u64> = session.take_user_id();
    let _: &str = session.locale();
    session.set_locale("de");
    session.set_locale(String::new());
    let _: &mut String = session.locale_mut();
    session.add_visits(1);
    session.set_visits(session.visits() + 1);
    session.add_balance(-1);
    let _: i64 = session.balance();
    let _: &[String] = session.cart();
    session.set_cart(vec![]);
    session.cart_mut().push("pen".into());
    let _: Option<String> = session.take_notice();
    session.set_notice("hello");
    let _: String = session.take_warning();
    session.set_warning("careful");
    session.set_jump(Point(1, 1));
    let _: Option<Point> = session.take_jump();
    let _: (i128, u8, f32, bool, char) = (
        session.wide(),
        session.narrow(),
        session.ratio(),
        session.agreed(),
        session.letter(),
    );
    session.set_wide(1);
    let _: Option<&str> = session.name();
    session.set_name("Ann");
    session.clear_name();
    let _: Option<String> = session.take_name();
    let _: &mut Option<String> = session.name_mut();
    let _: Option<&[u8]> = session.tags();
    session.set_tags(vec![1]);
    let _: Option<&Item> = session.item();
    session.set_item(Item);
    let _: Option<Item> = session.take_item();
    let _: &Item = session.other();
    session.set_other(Item);
    let _: &mut Item = session.other_mut();
    let _: &HashMap<String, Vec<u8>> = session.map();
    let _: Point = session.point();
    session.point_mut().0 = 3;
    let _: Option<Point> = session.last_point();
    session.set_last_point(Point(0, 0));
    session.clear_page_size();
    session.set_page_size(20);
    let _: Option<u32> = session.page_size();
    let _: u32 = session.limit();
    let _: &Foreign = session.foreign();
    session.set_foreign(Foreign(1));
    session.foreign_mut().0 = 2;
    let _: &Foreign = session.another();
    let _: u8 = session.r#type();
    session.set_type(1);
    let _: Option<&str> = session.r#match();
    session.set_match("x");
    let _ = session.take_match();

    let _: &u8 = session.get(Visitor::TYPE);
    session.set(Visitor::NAME, None);
    session.reset(Visitor::LOCALE);
    assert_eq!(Visitor::TYPE.name(), "type");
    assert_eq!(Visitor::FOREIGN.name(), "alien");
}

impl VisitorSession {
    /// Users add methods of their own.
    pub fn is_signed_in(&self) -> bool {
        self.user_id().is_some()
    }
}

fn main() {
    let schema = Visitor::SCHEMA;
    assert_eq!(schema.name, "Visitor");
    assert_eq!(schema.field("cart").unwrap().aliases, ["basket", "trolley", "bag"]);
    assert_eq!(schema.field("map").unwrap().type_name, "HashMap<String, Vec<u8>>");
    assert!(schema.field("user_id").unwrap().null_is_absent);
    assert!(!schema.field("page_size").unwrap().null_is_absent);
    assert!(schema.field("roles").unwrap().renew);
    assert!(schema.field("cache").is_none());
    let _ = uses;
    let _ = VisitorSession::is_signed_in;
    let _ = |visitor: Visitor| visitor.cache;
}
