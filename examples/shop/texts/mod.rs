//! All texts of the pages, in each language. A missing text does not compile.

mod de;
mod en;
mod fr;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalogue::Product;
use crate::checkout::Delivery;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Locale {
    #[default]
    En,
    De,
    Fr,
}

impl Locale {
    /// All languages.
    pub(crate) const ALL: [Self; 3] = [Self::En, Self::De, Self::Fr];

    /// The BCP 47 tag, also used in forms and in the session.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// The language's name in the language itself.
    pub(crate) const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
            Self::Fr => "Français",
        }
    }

    /// The next language, in a cycle.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::En => Self::De,
            Self::De => Self::Fr,
            Self::Fr => Self::En,
        }
    }

    /// The page after signing out.
    pub(crate) const fn goodbye(self) -> &'static str {
        match self {
            Self::En => "/goodbye?locale=en",
            Self::De => "/goodbye?locale=de",
            Self::Fr => "/goodbye?locale=fr",
        }
    }

    /// The texts in this language.
    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::En => &en::TEXTS,
            Self::De => &de::TEXTS,
            Self::Fr => &fr::TEXTS,
        }
    }
}

/// The texts in one language.
pub(crate) struct Texts {
    pub(crate) title: &'static str,
    pub(crate) headline: &'static str,
    pub(crate) intro: &'static str,
    pub(crate) language: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) chapter: &'static str,
    pub(crate) visits: fn(u64) -> String,
    pub(crate) price: fn(u32) -> String,
    pub(crate) product: fn(Product) -> (&'static str, &'static str),
    /// Seconds, minutes, hours, days.
    pub(crate) units: [&'static str; 4],
    pub(crate) ago: fn(&str) -> String,
    pub(crate) just_now: &'static str,
    pub(crate) account: Account,
    pub(crate) cart: Cart,
    pub(crate) checkout: Checkout,
    pub(crate) facts: Facts,
    pub(crate) devices: Devices,
    pub(crate) demo: Demo,
    pub(crate) footer: &'static str,
}

/// Signing in and out.
pub(crate) struct Account {
    pub(crate) title: &'static str,
    pub(crate) who: &'static str,
    pub(crate) remember: &'static str,
    pub(crate) sign_in: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) signed_in_as: &'static str,
    pub(crate) welcome: fn(&str) -> String,
    pub(crate) goodbye: &'static str,
    pub(crate) goodbye_more: &'static str,
    pub(crate) back: &'static str,
}

/// Shelf and cart.
pub(crate) struct Cart {
    pub(crate) shelf: &'static str,
    pub(crate) add: &'static str,
    pub(crate) title: &'static str,
    pub(crate) empty: &'static str,
    pub(crate) more: &'static str,
    pub(crate) less: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) total: &'static str,
    pub(crate) added: fn(&str) -> String,
    pub(crate) removed: fn(&str) -> String,
}

/// From the cart to the order.
pub(crate) struct Checkout {
    pub(crate) start: &'static str,
    pub(crate) title: &'static str,
    /// Address, delivery, review.
    pub(crate) steps: [&'static str; 3],
    pub(crate) name: &'static str,
    pub(crate) street: &'static str,
    pub(crate) town: &'static str,
    pub(crate) address_note: &'static str,
    pub(crate) incomplete: &'static str,
    pub(crate) delivery: fn(Delivery) -> (&'static str, &'static str),
    pub(crate) free: &'static str,
    pub(crate) next: &'static str,
    pub(crate) back: &'static str,
    pub(crate) change: &'static str,
    pub(crate) place: &'static str,
    pub(crate) place_note: &'static str,
    pub(crate) done: fn(&str) -> String,
    pub(crate) done_more: fn(&str) -> String,
    pub(crate) address_needed: &'static str,
    pub(crate) delivery_needed: &'static str,
    pub(crate) cart_changed: &'static str,
    pub(crate) placed_before: &'static str,
}

/// "This session".
pub(crate) struct Facts {
    pub(crate) title: &'static str,
    pub(crate) id: &'static str,
    pub(crate) created: &'static str,
    pub(crate) seen: &'static str,
    pub(crate) signed_in: &'static str,
    pub(crate) left: &'static str,
    pub(crate) note: &'static str,
}

/// "My devices".
pub(crate) struct Devices {
    pub(crate) title: &'static str,
    pub(crate) this: &'static str,
    pub(crate) other: &'static str,
    pub(crate) seen: &'static str,
    pub(crate) end: &'static str,
    pub(crate) end_others: &'static str,
    pub(crate) alone: &'static str,
    pub(crate) ended_one: &'static str,
    pub(crate) ended_elsewhere: &'static str,
    pub(crate) ended_by_time: &'static str,
    pub(crate) ended_others: fn(u64) -> String,
}

/// "Two tabs at once".
pub(crate) struct Demo {
    pub(crate) title: &'static str,
    pub(crate) intro: &'static str,
    pub(crate) run: &'static str,
    pub(crate) running: &'static str,
    pub(crate) again: &'static str,
    pub(crate) lanes: &'static str,
    pub(crate) waits: fn(u64) -> String,
    pub(crate) language: &'static str,
    pub(crate) items: &'static str,
    pub(crate) clicks: &'static str,
    pub(crate) field: &'static str,
    pub(crate) before: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) actual: &'static str,
    pub(crate) whole: &'static str,
    pub(crate) kept: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) why: &'static str,
    pub(crate) rule: &'static str,
}

impl Texts {
    /// A duration in its largest unit.
    pub(crate) fn span(&self, span: Duration) -> String {
        let seconds = span.as_secs();
        let (number, unit) = match seconds {
            0..60 => (seconds, 0),
            60..3_600 => (seconds / 60, 1),
            3_600..172_800 => (seconds / 3_600, 2),
            _ => (seconds / 86_400, 3),
        };
        format!("{number}\u{a0}{}", self.units[unit])
    }

    /// How long ago something was.
    pub(crate) fn since(&self, span: Duration) -> String {
        if span < Duration::from_secs(10) {
            self.just_now.to_owned()
        } else {
            (self.ago)(&self.span(span))
        }
    }
}
