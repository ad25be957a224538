//! What the browser gets. Pure functions of what they show: no session, no
//! store. `maud` escapes every value that is put into a page.

mod account;
pub(crate) mod checkout;
mod demo;
mod icons;
mod layout;
mod shelf;

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use session_runtime::{Session, SessionId, SessionInfo};

use crate::catalogue::User;
use crate::session::{Line, Notice, Visitor};
use crate::texts::{Locale, Texts};

/// What is around the pages of a session.
pub(crate) struct Frame {
    /// Where it is.
    path: &'static str,
    locale: Locale,
    user: Option<&'static User>,
    notice: Option<Notice>,
}

impl Frame {
    /// Takes the notice: it is shown once.
    pub(crate) fn of(session: &mut Session<Visitor>, path: &'static str) -> Self {
        Self {
            path,
            locale: session.locale(),
            user: session.user().and_then(User::find),
            notice: session.take_notice(),
        }
    }

    fn texts(&self) -> &'static Texts {
        self.locale.texts()
    }
}

/// All that the start page shows.
pub(crate) struct Home<'h> {
    pub(crate) now: SystemTime,
    pub(crate) frame: Frame,
    pub(crate) visits: u64,
    pub(crate) cart: &'h [Line],
    pub(crate) facts: Facts,
    pub(crate) devices: &'h [SessionInfo],
}

/// What a session says of itself.
pub(crate) struct Facts {
    pub(crate) id: Option<SessionId>,
    pub(crate) created: Option<SystemTime>,
    pub(crate) seen: Option<SystemTime>,
    pub(crate) signed_in: Option<SystemTime>,
    pub(crate) expires: Option<SystemTime>,
}

impl Facts {
    pub(crate) fn of(session: &Session<Visitor>) -> Self {
        Self {
            id: session.id().copied(),
            created: session.created_at(),
            seen: session.last_seen_at(),
            signed_in: session.authenticated_at(),
            expires: session.expires_at(),
        }
    }
}

impl Home<'_> {
    fn texts(&self) -> &'static Texts {
        self.frame.texts()
    }

    fn ago(&self, then: SystemTime) -> String {
        self.texts().since(self.now.duration_since(then).unwrap_or_default())
    }

    fn until(&self, then: SystemTime) -> String {
        // Half a minute more, so that a fresh half hour reads as one.
        let left = then.duration_since(self.now).unwrap_or_default();
        self.texts().span(left + Duration::from_secs(30))
    }
}

/// The start page.
pub(crate) fn home(page: &Home<'_>) -> Markup {
    let t = page.texts();
    let body = html! {
        div.top {
            section.hero {
                p.visits id="visits" data-visits=(page.visits) { ((t.visits)(page.visits)) }
                h1 { (t.headline) }
                p.lead { (t.intro) }
            }
            (account::facts(page))
        }
        div.columns id="shop" {
            (shelf::shelf(t))
            div.side {
                (shelf::cart(page))
                (account::panel(page))
            }
        }
        (demo::panel(page.frame.locale))
    };
    layout::page(&page.frame, &body)
}

/// Where one lands after signing out.
pub(crate) fn goodbye(locale: Locale) -> Markup {
    let t = locale.texts();
    let body = html! {
        section.hero.goodbye {
            h1 { (t.account.goodbye) }
            p.lead { (t.account.goodbye_more) }
            p { a.button.primary href="/" { (t.account.back) } }
        }
    };
    layout::bare(locale, &body)
}

/// What came in between. Without a session there is no language either.
pub(crate) fn trouble(late: bool) -> Markup {
    let (headline, more) = if late {
        (
            "That came too late",
            "Your session ended, or somebody signed in or out, while this was under way. Nothing was changed. Reload the page and try again.",
        )
    } else {
        ("Not right now", "The shop cannot reach its sessions. Nothing was changed; try again.")
    };
    let body = html! {
        section.hero.goodbye id="trouble" {
            h1 { (headline) }
            p.lead { (more) }
            p { a.button.primary href="/" { (Locale::default().texts().account.back) } }
        }
    };
    layout::bare(Locale::default(), &body)
}

/// Enough of an id to tell two apart.
fn short(id: SessionId) -> String {
    id.to_string().chars().take(8).collect()
}
