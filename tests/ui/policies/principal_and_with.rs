//! Who is signed in is looked up as serde writes it.

use session_runtime::SessionSchema;

mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{value:?}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        String::deserialize(from).map(|_| None)
    }
}

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal, with = "hex")]
    user_id: Option<u64>,
}

fn main() {}
