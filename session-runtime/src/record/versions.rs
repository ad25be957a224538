//! The schema version under which the fields of each namespace were written.

use std::sync::Arc;

/// Namespace → schema version. A namespace that is not listed has version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(Option<Arc<List>>);

// Behind a thin pointer: every record has one, and most are empty.
type List = Vec<(Box<str>, u32)>;

impl Versions {
    /// Returns the version of `namespace`: 1 if none was ever written.
    #[must_use]
    pub fn get(&self, namespace: &str) -> u32 {
        self.iter().find(|(known, _)| *known == namespace).map_or(1, |(_, version)| version)
    }

    /// Sets the version of the fields of `namespace`.
    pub fn set(&mut self, namespace: &str, version: u32) {
        if self.get(namespace) == version {
            return;
        }
        let others = self.iter().filter(|(known, _)| *known != namespace);
        let mut all: List = others.map(|(ns, v)| (ns.into(), v)).collect();
        all.push((namespace.into(), version));
        all.sort();
        self.0 = Some(Arc::new(all));
    }

    /// Returns the versions that were written, ordered by namespace.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0
            .iter()
            .flat_map(|all| all.iter())
            .map(|(namespace, version)| (&**namespace, *version))
    }
}

impl<N: Into<Box<str>>> FromIterator<(N, u32)> for Versions {
    fn from_iter<I: IntoIterator<Item = (N, u32)>>(versions: I) -> Self {
        let mut all: List =
            versions.into_iter().map(|(namespace, version)| (namespace.into(), version)).collect();
        all.sort();
        Self((!all.is_empty()).then(|| Arc::new(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_written_has_version_one() {
        let mut versions = Versions::default();
        assert_eq!(versions.get(""), 1);
        versions.set("", 1);
        assert_eq!(versions.iter().count(), 0, "nothing is stored for version 1");
        versions.set("", 3);
        versions.set("admin", 2);
        assert_eq!((versions.get(""), versions.get("admin"), versions.get("x")), (3, 2, 1));
        assert_eq!(versions.iter().collect::<Versions>(), versions);
        versions.set("", 1);
        assert_eq!(versions.get(""), 1);
    }
}
