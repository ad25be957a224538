//! Session stores on top of a map that can compare and swap.

mod orders;
mod rules;

use session_runtime::store::cas::CasStore;
use session_runtime::store::{SessionStore, conformance};
use session_tests::cas::{CasMap, Trouble};

session_runtime::store_conformance! {
    plain, |clock| async move { CasStore::listing(CasMap::new(clock)) }
}

session_runtime::store_conformance! {
    with_others_in_between, |clock| async move {
        let trouble = Trouble { conflict: Some(3), yields: true, ..Trouble::default() };
        CasStore::listing(CasMap::with(clock, trouble))
    }
}

session_runtime::store_conformance! {
    with_lost_answers, |clock| async move {
        let (conflict, lost) = (Some(7), Some(5));
        let trouble =
            Trouble { conflict, lost_answer: lost, lost_request: Some(11), yields: true };
        CasStore::listing(CasMap::with(clock, trouble))
    }
}

session_runtime::store_conformance! {
    without_a_list_of_keys, |clock| async move { CasStore::new(CasMap::new(clock)) }
}

#[test]
fn a_map_that_can_list_its_keys_makes_a_full_store() {
    let full = CasStore::listing(CasMap::default()).capabilities();
    assert_eq!(conformance::not_promised(&full), [""; 0]);
    let without = CasStore::new(CasMap::default()).capabilities();
    let missing = conformance::not_promised(&without);
    assert_eq!(missing.len(), 5, "{missing:?}");
    assert!(missing.iter().all(|rule| rule.contains("walk") || rule.contains("count")));
}
