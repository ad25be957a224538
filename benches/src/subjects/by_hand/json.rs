//! Whole structs as JSON, wherever that is kept.

use super::Structs;
use crate::shape::Shape;

/// A place for texts under keys.
pub trait Texts: Clone + Send + Sync + 'static {
    /// The text that is there.
    fn get(&mut self, key: &str) -> impl Future<Output = Vec<u8>> + Send;
    /// Replaces it.
    fn set(&mut self, key: &str, json: String) -> impl Future<Output = ()> + Send;
    /// Stores one under a new key.
    fn add(&mut self, key: &str, json: String) -> impl Future<Output = ()> + Send;
    /// Moves it to a new key.
    fn rename(&mut self, old: &str, new: &str) -> impl Future<Output = ()> + Send;
}

async fn load<S: Shape>(texts: &mut impl Texts, key: &str) -> S {
    serde_json::from_slice(&texts.get(key).await).expect("decodes")
}

/// As it is stored.
#[must_use]
pub fn encode<S: Shape>(value: &S) -> String {
    serde_json::to_string(value).expect("encodes")
}

impl<S: Shape, T: Texts> Structs<S> for T {
    async fn read(&mut self, key: &str) -> u32 {
        *load::<S>(self, key).await.visits_mut()
    }

    async fn change(&mut self, key: &str) -> u32 {
        let mut value = load::<S>(self, key).await;
        *value.visits_mut() += 1;
        let visits = *value.visits_mut();
        self.set(key, encode(&value)).await;
        visits
    }

    async fn insert(&mut self, key: &str, value: S) {
        self.add(key, encode(&value)).await;
    }

    async fn rename(&mut self, old: &str, new: &str) {
        Texts::rename(self, old, new).await;
    }
}
