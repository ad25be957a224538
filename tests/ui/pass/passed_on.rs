//! What a macro of one's own passes on means what it means where it is written.

use std::collections::{BTreeSet, HashMap};

use session_runtime::{SessionSchema, merge};

macro_rules! schema {
    ($name:ident { $($field:ident: $ty:ty = $default:expr, merged by $merge:path),* }) => {
        #[derive(SessionSchema)]
        struct $name {
            $(#[session(default = $default, merge = $merge)] $field: $ty),*
        }
    };
}

fn mine(_: &str, _: &str, mine: String) -> String {
    mine
}

schema!(Visitor {
    locale: String = "en", merged by mine,
    nickname: Option<String> = "nobody", merged by keep,
    prices: HashMap<String, u32> = HashMap::new(), merged by merge::map,
    tags: BTreeSet<u8> = [1].into(), merged by merge::set
});

fn keep<T: Clone>(_: &T, stored: &T, _: T) -> T {
    stored.clone()
}

#[derive(SessionSchema)]
struct Viewed {
    #[session(merge = merge::recent::<20, _>)]
    items: Vec<u64>,
    #[session(merge = "merge::recent::<5, u8>")]
    pages: Vec<u8>,
}

fn main() {
    let t = session_runtime::testing::TestSession::<Visitor>::new();
    let session = t.session();
    assert_eq!((session.locale(), session.nickname()), ("en", Some("nobody")));
    let t = session_runtime::testing::TestSession::<Viewed>::new();
    t.session().items_mut().push(1);
    assert_eq!(t.session().items(), [1]);
}
