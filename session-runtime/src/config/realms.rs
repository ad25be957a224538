//! The realms whose sessions a layer opens.

use std::ops::Deref;

use super::cookie::CookieConfig;
use super::error::SetupError;
use crate::realm::{InvalidRealm, Realm};
use crate::token::{SecretHash, SessionToken};

/// The realm of a layer, and its former realms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Realms {
    /// The configured realm; `None` for the name of the cookie.
    named: Option<Realm>,
    /// The effective realm, once the settings are complete.
    own: Realm,
    former: Vec<Realm>,
}

impl Realms {
    /// Each former realm costs every load one more hash.
    const MOST_FORMER: usize = 3;

    pub(crate) fn name(&mut self, name: &str) -> Result<(), SetupError> {
        self.named = Some(Realm::new(name).map_err(|InvalidRealm| invalid("realm"))?);
        Ok(())
    }

    pub(crate) fn accept(&mut self, name: &str) -> Result<(), SetupError> {
        let former = Realm::new(name).map_err(|InvalidRealm| invalid("accept_realm"))?;
        if !self.former.contains(&former) {
            self.former.push(former);
        }
        Ok(())
    }

    /// Computes the effective realm once the cookie and the former cookies are known.
    pub(crate) fn settled(
        mut self,
        cookie: &CookieConfig,
        former: &[CookieConfig],
    ) -> Result<Self, SetupError> {
        if self.named.is_none() {
            for former in former {
                self.accept(former.bare_name())?;
            }
        }
        self.own = match &self.named {
            Some(named) => named.clone(),
            None => Realm::new(cookie.bare_name()).map_err(|InvalidRealm| {
                SetupError::setting(
                    "realm",
                    "a cookie name of more than 64 bytes cannot be the realm: add `.realm(\"…\")`, \
                     or give the cookie a shorter name",
                )
            })?,
        };
        if self.former.len() > Self::MOST_FORMER {
            return Err(SetupError::setting(
                "accept_realm",
                "three former realms at most: take those out whose sessions have ended",
            ));
        }
        if self.former.contains(&self.own) {
            return Err(SetupError::setting(
                "accept_realm",
                "the layer's own realm is accepted anyway: name those that it had before",
            ));
        }
        Ok(self)
    }

    /// Returns the realm of new sessions.
    pub(crate) const fn own(&self) -> &Realm {
        &self.own
    }

    /// Returns all realms whose sessions the layer opens, its own first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Realm> {
        std::iter::once(&self.own).chain(&self.former)
    }

    /// Returns whether the layer opens the sessions of `realm`.
    pub(crate) fn accepts(&self, realm: &Realm) -> bool {
        self.all().any(|accepted| accepted == realm)
    }

    /// Returns the hashes of the token's secret, one per realm, by which it is looked up.
    pub(crate) fn secrets(&self, token: &SessionToken) -> Secrets {
        match self.former.is_empty() {
            true => Secrets::One([token.secret_hash(&self.own)]),
            false => Secrets::Several(self.all().map(|realm| token.secret_hash(realm)).collect()),
        }
    }
}

fn invalid(entry: &'static str) -> SetupError {
    SetupError::setting(entry, "1 to 64 visible ASCII characters without `:`")
}

/// The hashes of one token's secret, nearly always a single one. Part of every load's
/// future, so it is kept small.
pub(crate) enum Secrets {
    One([SecretHash; 1]),
    Several(Vec<SecretHash>),
}

impl Deref for Secrets {
    type Target = [SecretHash];

    fn deref(&self) -> &[SecretHash] {
        match self {
            Self::One(hash) => hash,
            Self::Several(hashes) => hashes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CookiePrefix;

    fn settled(realms: &Realms, cookie: &str) -> Result<Realms, &'static str> {
        let cookie = CookieConfig::builder().name(cookie).build().unwrap();
        realms.clone().settled(&cookie, &[]).map_err(|error| error.entry().unwrap())
    }

    #[test]
    fn the_default_is_the_name_of_the_cookie_whatever_its_prefix() {
        for prefix in [CookiePrefix::Host, CookiePrefix::Secure, CookiePrefix::None] {
            let cookie = CookieConfig::builder().name("sid").prefix(prefix).build().unwrap();
            for cookie in [cookie.clone(), cookie.insecure()] {
                let realms = Realms::default().settled(&cookie, &[]).unwrap();
                assert_eq!(realms.own().as_str(), "sid", "{prefix:?}");
            }
        }
        assert!(settled(&Realms::default(), "session").unwrap().own().is_default());
    }

    #[test]
    fn a_cookie_whose_name_is_too_long_for_a_realm_needs_one_that_is_named() {
        let (long, mut realms) = ("x".repeat(65), Realms::default());
        assert!(settled(&realms, &long[1..]).is_ok());
        assert_eq!(settled(&realms, &long).unwrap_err(), "realm");
        realms.name("shop").unwrap();
        assert_eq!(settled(&realms, &long).unwrap().own().as_str(), "shop");
    }

    #[test]
    fn names_that_are_none_and_too_many_former_ones_are_refused() {
        let mut realms = Realms::default();
        assert_eq!(realms.name("a:b").unwrap_err().entry().unwrap(), "realm");
        assert_eq!(realms.accept("").unwrap_err().entry().unwrap(), "accept_realm");
        for former in ["a", "b", "b", "c"] {
            realms.accept(former).unwrap();
        }
        assert_eq!(settled(&realms, "c").unwrap_err(), "accept_realm", "its own");
        let four = settled(&realms, "session").unwrap();
        let token = SessionToken::generate().unwrap();
        let hashes: Vec<_> = four.all().map(|realm| token.secret_hash(realm)).collect();
        assert_eq!((&*four.secrets(&token), hashes.len()), (&*hashes, 4));
        realms.accept("d").unwrap();
        assert_eq!(settled(&realms, "session").unwrap_err(), "accept_realm", "too many");
    }
}
