//! A change is seen by a setter or a mutable borrow.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    hits: AtomicU64,
    seen: Option<std::sync::atomic::AtomicBool>,
    cart: Arc<Mutex<Vec<String>>>,
    prices: HashMap<String, RwLock<u32>>,
    theme: std::cell::Cell<u8>,
    #[session(skip)]
    skipped: Mutex<u8>,
}

fn main() {}
