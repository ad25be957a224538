//! Who a session belongs to.

use std::fmt;
use std::sync::Arc;

/// Who a session belongs to: a namespace and the JSON of the principal field.
///
/// The namespace keeps customer 42 and administrator 42 apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The principal with this JSON in `namespace` (which holds no `:`).
    #[must_use]
    pub fn new(namespace: &str, json: &str) -> Self {
        Self(format!("{namespace}:{json}").into())
    }

    /// Reads [`Principal::as_str`] back.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// `namespace:json`, for a store that writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JSON of the principal field.
    #[must_use]
    pub fn json(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, json)| json)
    }

    /// The namespace of the schema.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or("", |(namespace, _)| namespace)
    }
}

impl fmt::Debug for Principal {
    /// Without the value: it may be an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({}:…)", self.namespace())
    }
}
