//! `copy` is for types that are `Copy`.

use session_runtime::SessionSchema;


#[derive(serde::Serialize, serde::Deserialize, Default)]
struct Item;

#[derive(SessionSchema)]
struct Visitor {
    #[session(copy)]
    item: Item,
}

fn main() {}
