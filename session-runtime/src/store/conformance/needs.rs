//! Which rules apply to a store: those that need nothing it does not support.

use super::{NEEDS, RULES};
use crate::store::Capabilities;

/// A capability that a rule may need, named as in [`Capabilities`].
#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// [`Capabilities::atomic_patches`]
    atomic_patches,
    /// [`Capabilities::principal_index`]
    principal_index,
    /// [`Capabilities::revocation`]
    revocation,
    /// [`Capabilities::scan`]
    scan,
    /// [`Capabilities::limits`]
    limits,
}

impl Need {
    pub(super) fn is_met(self, by: &Capabilities) -> bool {
        match self {
            Self::atomic_patches => by.atomic_patches,
            Self::principal_index => by.principal_index,
            Self::revocation => by.revocation,
            Self::scan => by.scan,
            Self::limits => by.limits.is_some(),
        }
    }
}

/// Returns the first need of `rule` that is not met.
pub(super) fn lacking(rule: &str, capabilities: &Capabilities) -> Option<Need> {
    let (_, needs) = NEEDS.iter().find(|(known, _)| *known == rule)?;
    needs.iter().copied().find(|need| !need.is_met(capabilities))
}

/// Returns the rules that a store with these capabilities does not promise to keep, in the order of
/// the list. Their tests print that, and check nothing.
///
/// A store with limited capabilities should assert this list in its tests, so that a passing suite
/// is not mistaken for full conformance.
#[must_use]
pub fn not_promised(capabilities: &Capabilities) -> Vec<&'static str> {
    RULES.iter().copied().filter(|rule| lacking(rule, capabilities).is_some()).collect()
}
