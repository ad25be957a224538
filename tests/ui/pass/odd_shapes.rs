//! Types and names one meets once a year.

use session_runtime::{Session, SessionSchema};

pub mod inner {
    use session_runtime::SessionSchema;

    pub mod deeper {
        #[derive(super::SessionSchema)]
        pub(in crate::inner) struct Near {
            pub value: u8,
            other: [Option<(u8, String)>; 2],
        }

        impl NearSession {
            pub(super) fn both(&self) -> (u8, usize) {
                (self.value(), self.other().len())
            }
        }
    }

    fn uses(session: &mut deeper::NearSession) -> usize {
        session.set_value(session.value() + 1);
        session.both().1
    }

    pub fn check() {
        let _ = uses;
    }
}

type Text = String;

#[derive(SessionSchema)]
#[allow(non_snake_case)]
struct Visitor {
    #[session(principal)]
    principal: Option<(u8, String)>,
    schema: u8,
    _hidden: u8,
    twice: Option<Option<u8>>,
    camelCase: bool,
    äöü: char,
    r#async: Option<Vec<Option<u8>>>,
    /// An alias is not recognised: it is read and set as any other type.
    aliased: Text,
    sets: Sets,
    boxed: Box<[Option<Box<str>>]>,
    nothing: (),
    #[session(default = Some(3))]
    nested: Option<Option<u8>>,
    #[session(default = "a".repeat(3) + "b")]
    computed: String,
    #[session(default = std::array::from_fn::<_, 2, _>(|i| i))]
    array: [usize; 2],
}

#[derive(serde::Serialize, serde::Deserialize, Default)]
struct Sets;

fn uses(session: &mut Session<Visitor>) {
    let _: Option<&(u8, String)> = session.principal();
    let _: Option<&Option<u8>> = session.twice();
    session.set_twice(None);
    let _: Option<&[Option<u8>]> = session.r#async();
    session.set_async(vec![]);
    let _: &Text = session.aliased();
    session.set_aliased(Text::new());
    let _: bool = session.camelCase();
    let _: char = session.äöü();
    let _: u8 = session._hidden();
    let _ = (Visitor::CAMELCASE, Visitor::ÄÖÜ, Visitor::ASYNC, Visitor::_HIDDEN);
    let _: &() = session.nothing();
}

fn main() {
    let schema = <Visitor as SessionSchema>::SCHEMA;
    assert_eq!(schema.field("async").unwrap().type_name, "Option<Vec<Option<u8>>>");
    assert_eq!(schema.principal().unwrap().name, "principal");
    let _ = uses;
    inner::check();
}
