//! Ready-made functions for `#[session(merge = …)]`.
//!
//! Each takes the value that this request started from (`base`), the currently stored
//! value (`stored`) and this request's value (`mine`), and keeps the changes of both
//! sides: an entry that one side added is kept, an entry that one side removed is gone
//! unless the other side changed it meanwhile. If both sides changed one entry, this
//! request's change is kept.
//!
//! ```
//! use std::collections::{BTreeMap, HashSet};
//! use session_runtime::{SessionSchema, merge};
//!
//! #[derive(SessionSchema)]
//! struct Visitor {
//!     /// The quantity of each item.
//!     #[session(merge = merge::map)]
//!     cart: BTreeMap<String, u32>,
//!     #[session(merge = merge::set)]
//!     wished: HashSet<u64>,
//!     /// The last twenty viewed items, the latest last.
//!     #[session(merge = merge::recent::<20, _>)]
//!     viewed: Vec<u64>,
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// A map that [`map`] can merge: `HashMap` or `BTreeMap`.
pub trait Map: sealed::Map {}

/// A set that [`set`] can merge: `HashSet` or `BTreeSet`.
pub trait Set: sealed::Set {}

/// Merges two maps entry by entry.
///
/// If both sides changed the value of one key, this request's value is kept. An entry
/// that one side removed and the other side changed is kept with the changed value.
///
/// ```
/// use std::collections::BTreeMap;
/// use session_runtime::merge;
///
/// let base = BTreeMap::from([("pen", 1), ("ink", 1)]);
/// let stored = BTreeMap::from([("pen", 1), ("ink", 1), ("cap", 1)]); // another tab
/// let mine = BTreeMap::from([("pen", 2)]); // one more pen, and no ink
/// assert_eq!(merge::map(&base, &stored, mine), BTreeMap::from([("pen", 2), ("cap", 1)]));
/// ```
#[must_use]
pub fn map<M: Map>(base: &M, stored: &M, mine: M) -> M {
    let mut merged = mine;
    for (key, theirs) in stored.entries() {
        let was = base.value(key);
        let changed_here = merged.value(key).is_some_and(|mine| Some(mine) != was);
        if was != Some(theirs) && !changed_here {
            merged.put(key.clone(), theirs.clone());
        }
    }
    for (key, was) in base.entries() {
        if stored.value(key).is_none() && merged.value(key) == Some(was) {
            merged.remove_key(key);
        }
    }
    merged
}

/// Merges two sets: items that either side added are kept, items that either side removed
/// are not.
///
/// ```
/// use std::collections::BTreeSet;
/// use session_runtime::merge;
///
/// let set = |items: &[u8]| BTreeSet::from_iter(items.iter().copied());
/// assert_eq!(merge::set(&set(&[1, 2]), &set(&[1, 2, 3]), set(&[2, 4])), set(&[2, 3, 4]));
/// ```
#[must_use]
pub fn set<S: Set>(base: &S, stored: &S, mine: S) -> S {
    let mut merged = mine;
    stored.items().filter(|item| !base.has(item)).for_each(|item| merged.put(item.clone()));
    base.items().filter(|item| !stored.has(item)).for_each(|item| merged.drop_item(item));
    merged
}

/// Merges two lists of the `N` most recent items, the latest last.
///
/// The result has no duplicates. Items that this request added or moved to the end come
/// last; items that one side removed are gone, unless the other side added or moved them
/// meanwhile. Compares all items with each other, so it is meant for short lists.
///
/// ```
/// use session_runtime::merge;
///
/// let (base, stored) = ([1, 2, 3], [1, 2, 3, 4]); // another tab viewed 4
/// let mine = vec![2, 3, 1]; // this request viewed 1 again
/// assert_eq!(merge::recent::<3, _>(&base, &stored, mine), [3, 4, 1]);
/// ```
#[must_use]
pub fn recent<const N: usize, T: PartialEq + Clone>(
    base: &[T],
    stored: &[T],
    mine: Vec<T>,
) -> Vec<T> {
    let (added_there, added_here) = (touched(base, stored), touched(base, &mine));
    let removed = |item: &T| base.contains(item) && !mine.contains(item);
    // The items of this request are appended below.
    let kept =
        |item: &&T| !added_here.contains(item) && (!removed(item) || added_there.contains(item));
    let all = stored.iter().filter(kept).chain(added_here);
    let mut merged: Vec<T> = Vec::with_capacity(stored.len() + added_here.len());
    for item in all {
        merged.retain(|known| known != item);
        merged.push(item.clone());
    }
    merged.drain(..merged.len().saturating_sub(N));
    merged
}

/// Returns the items that were added to `side` or moved to its end: everything after the
/// remainder of `base`.
fn touched<'s, T: PartialEq>(base: &[T], side: &'s [T]) -> &'s [T] {
    let mut rest = base.iter();
    let left = side.iter().take_while(|item| rest.any(|known| known == *item)).count();
    &side[left..]
}

/// Seals the traits; their methods are of no use elsewhere.
mod sealed {
    pub trait Map {
        type Key: Clone;
        type Value: Clone + PartialEq;

        fn entries(&self) -> impl Iterator<Item = (&Self::Key, &Self::Value)>;
        fn value(&self, key: &Self::Key) -> Option<&Self::Value>;
        fn put(&mut self, key: Self::Key, value: Self::Value);
        fn remove_key(&mut self, key: &Self::Key);
    }

    pub trait Set {
        type Item: Clone;

        fn items(&self) -> impl Iterator<Item = &Self::Item>;
        fn has(&self, item: &Self::Item) -> bool;
        fn put(&mut self, item: Self::Item);
        fn drop_item(&mut self, item: &Self::Item);
    }
}

macro_rules! maps {
    ($($map:ty, [$($parameters:tt)*];)*) => {
        $(impl<$($parameters)*> Map for $map {}

        impl<$($parameters)*> sealed::Map for $map {
            type Key = K;
            type Value = V;

            fn entries(&self) -> impl Iterator<Item = (&K, &V)> {
                self.iter()
            }

            fn value(&self, key: &K) -> Option<&V> {
                self.get(key)
            }

            fn put(&mut self, key: K, value: V) {
                self.insert(key, value);
            }

            fn remove_key(&mut self, key: &K) {
                self.remove(key);
            }
        })*
    };
}

maps! {
    HashMap<K, V, S>, [K: Clone + Eq + Hash, V: Clone + PartialEq, S: BuildHasher];
    BTreeMap<K, V>, [K: Clone + Ord, V: Clone + PartialEq];
}

macro_rules! sets {
    ($($set:ty, [$($parameters:tt)*];)*) => {
        $(impl<$($parameters)*> Set for $set {}

        impl<$($parameters)*> sealed::Set for $set {
            type Item = T;

            fn items(&self) -> impl Iterator<Item = &T> {
                self.iter()
            }

            fn has(&self, item: &T) -> bool {
                self.contains(item)
            }

            fn put(&mut self, item: T) {
                self.insert(item);
            }

            fn drop_item(&mut self, item: &T) {
                self.remove(item);
            }
        })*
    };
}

sets! {
    HashSet<T, S>, [T: Clone + Eq + Hash, S: BuildHasher];
    BTreeSet<T>, [T: Clone + Ord];
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = BTreeMap<u8, u8>> {
        btree_map(0..6_u8, 0..3_u8, 0..6)
    }

    fn items() -> impl Strategy<Value = BTreeSet<u8>> {
        btree_set(0..8_u8, 0..8)
    }

    /// What a handler does with a list of recent items.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        View(u8),
        Forget(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..9_u8).prop_map(Step::View),
            1 => (0..9_u8).prop_map(Step::Forget),
        ];
        vec(step, 0..6)
    }

    const N: usize = 5;

    fn run(list: &[u8], steps: &[Step]) -> Vec<u8> {
        let mut list = list.to_vec();
        for step in steps {
            let (Step::View(item) | Step::Forget(item)) = step;
            list.retain(|known| known != item);
            if let Step::View(item) = step {
                list.push(*item);
            }
        }
        list.drain(..list.len().saturating_sub(N));
        list
    }

    proptest! {
        #[test]
        fn each_entry_of_a_map_is_that_of_the_side_that_changed_it(
            base in entries(), stored in entries(), mine in entries(),
        ) {
            let merged = map(&base, &stored, mine.clone());
            for key in 0..6 {
                let (was, theirs, ours) = (base.get(&key), stored.get(&key), mine.get(&key));
                let expected = match (theirs == was, ours == was) {
                    (_, true) => theirs,
                    (true, false) => ours,
                    (false, false) => ours.or(theirs),
                };
                prop_assert_eq!(merged.get(&key), expected, "{}", key);
            }
            let hashed = |map: BTreeMap<u8, u8>| HashMap::<u8, u8>::from_iter(map);
            prop_assert_eq!(map(&hashed(base), &hashed(stored), hashed(mine)), hashed(merged));
        }

        #[test]
        fn a_set_has_what_was_added_and_not_what_was_removed(
            base in items(), stored in items(), mine in items(),
        ) {
            let merged = set(&base, &stored, mine.clone());
            for item in 0..8 {
                let (theirs, ours) = (stored.contains(&item), mine.contains(&item));
                let expected = if base.contains(&item) { theirs && ours } else { theirs || ours };
                prop_assert_eq!(merged.contains(&item), expected, "{}", item);
            }
            let hashed = |set: BTreeSet<u8>| HashSet::<u8>::from_iter(set);
            prop_assert_eq!(set(&hashed(base), &hashed(stored), hashed(mine)), hashed(merged));
        }

        #[test]
        fn a_list_of_recent_items_has_what_both_sides_looked_at(
            base in steps(), theirs in steps(), ours in steps(),
        ) {
            let base = run(&[], &base);
            let (stored, mine) = (run(&base, &theirs), run(&base, &ours));
            let merged = recent::<N, _>(&base, &stored, mine.clone());
            prop_assert!(merged.len() <= N);
            for (at, item) in merged.iter().enumerate() {
                prop_assert!(!merged[at + 1..].contains(item), "{} is given twice", item);
                prop_assert!(stored.contains(item) || mine.contains(item));
                let kept = |side: &[u8], other: &[u8]| {
                    side.contains(item) || touched(&base, other).contains(item)
                };
                prop_assert!(kept(&stored, &mine) && kept(&mine, &stored), "{} was removed", item);
            }
            let added = touched(&base, &mine);
            let last = &merged[merged.len().saturating_sub(added.len())..];
            prop_assert_eq!(last, added);
            // A side that did nothing has no say.
            prop_assert_eq!(recent::<N, _>(&base, &base, mine.clone()), mine);
            prop_assert_eq!(recent::<N, _>(&base, &stored, base.clone()), stored);
        }
    }
}
