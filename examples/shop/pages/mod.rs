//! The HTML pages. They are pure functions of the values that they show, without a
//! store. `maud` escapes every value.

mod account;
pub(crate) mod checkout;
mod demo;
mod icons;
mod layout;
mod shelf;

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use session_runtime::{EndReason, Session, SessionId, SessionInfo};

use crate::catalogue::User;
use crate::session::{Line, Notice, Visitor};
use crate::texts::{Locale, Texts};

/// What the frame around a session's page needs.
pub(crate) struct Frame {
    /// The path of the page.
    path: &'static str,
    locale: Locale,
    user: Option<&'static User>,
    notice: Option<Notice>,
    /// Why the session that this browser had is over.
    ended: Option<EndReason>,
}

impl Frame {
    /// Takes the notice, so that it is shown once.
    pub(crate) fn of(session: &mut Session<Visitor>, path: &'static str) -> Self {
        Self {
            path,
            locale: session.locale(),
            user: session.user().and_then(User::find),
            notice: session.take_notice(),
            ended: session.ended_because(),
        }
    }

    fn texts(&self) -> &'static Texts {
        self.locale.texts()
    }
}

/// The values on the start page.
pub(crate) struct Home<'h> {
    pub(crate) now: SystemTime,
    pub(crate) frame: Frame,
    pub(crate) visits: u64,
    pub(crate) cart: &'h [Line],
    pub(crate) facts: Facts,
    pub(crate) devices: &'h [SessionInfo],
}

/// The values in "this session".
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
        // Rounds up half a minute, so that a new session reads "30 min".
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

/// The page after signing out.
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

/// The error page, in English, because without a session the language is unknown.
pub(crate) fn trouble(late: bool) -> Markup {
    let (headline, more) = if late {
        (
            "That came too late",
            "Your session ended, or you signed in or out in another tab, before this request finished. Nothing was changed. Reload the page and try again.",
        )
    } else {
        ("Not right now", "The shop cannot reach its session store. Please try again.")
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

/// The start of an id, enough to tell two apart.
fn short(id: SessionId) -> String {
    id.to_string().chars().take(8).collect()
}
