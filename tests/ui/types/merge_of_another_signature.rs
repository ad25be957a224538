//! The merge function takes what is stored and what is wanted.

use session_runtime::SessionSchema;

fn of_numbers(_base: &u64, _stored: &u64, mine: u64) -> u64 {
    mine
}

fn of_two(_stored: &u64, mine: u64) -> u64 {
    mine
}

fn of_references(_base: &String, stored: &String, _mine: &String) -> String {
    stored.clone()
}

fn to_another(base: &[u8], _stored: &[u8], _mine: Vec<u8>) -> usize {
    base.len()
}

#[derive(SessionSchema)]
struct Visitor {
    #[session(merge = of_numbers)]
    text: String,
    #[session(merge = of_two)]
    number: u64,
    #[session(merge = of_references)]
    reference: String,
    #[session(merge = to_another)]
    length: Vec<u8>,
    #[session(merge = merges::missing)]
    missing: u64,
}

fn main() {}
