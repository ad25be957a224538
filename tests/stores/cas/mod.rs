//! Session stores on top of a map that can compare and swap.

mod orders;
mod rules;

use session_runtime::forward_store;
use session_runtime::store::cas::CasStore;
use session_runtime::store::{SessionStore, conformance, contract::Capabilities};
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
        OneAtATime(CasStore::listing(CasMap::with(clock, trouble)))
    }
}

/// Where an answer is lost and many others write meanwhile, a patch may be uncertain,
/// which the rules of races do not expect. Races with lost answers are in [`rules`].
struct OneAtATime<S>(S);

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for OneAtATime<S> {
    forward_store! { this => this.0;
        clock load reload create apply delete list revoke count sweep scan cache watchers
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.0.capabilities();
        capabilities.atomic_patches = false;
        capabilities
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
