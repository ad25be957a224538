//! Structs in a concurrent map: nothing expires.

use std::sync::Arc;

use dashmap::DashMap;

use super::Structs;
use crate::shape::Shape;

/// A map that the handlers share.
#[derive(Debug)]
pub struct Map<S>(Arc<DashMap<String, S>>);

impl<S> Default for Map<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S> Clone for Map<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Shape> Structs<S> for Map<S> {
    async fn read(&mut self, key: &str) -> u32 {
        *self.0.get_mut(key).expect("stored").visits_mut()
    }

    async fn change(&mut self, key: &str) -> u32 {
        let mut value = self.0.get_mut(key).expect("stored");
        *value.visits_mut() += 1;
        *value.visits_mut()
    }

    async fn insert(&mut self, key: &str, value: S) {
        self.0.insert(key.to_owned(), value);
    }

    async fn rename(&mut self, old: &str, new: &str) {
        let (_, value) = self.0.remove(old).expect("stored");
        self.0.insert(new.to_owned(), value);
    }
}
