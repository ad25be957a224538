//! The panel of the demo. The script fills in numbers and shows texts that are
//! already in the page, so it contains no translations.

use maud::{Markup, html};

use super::layout;
use crate::demo::CLICKS;
use crate::texts::Locale;

/// Milliseconds. The language changes last, so a whole-session save loses the most.
const WAITS: [u64; 4] = [350, 700, 1_050, 1_400];
const CART_WAIT: u64 = 1_750;
const LOCALE_WAIT: u64 = 2_100;

/// "Two tabs at once".
pub(super) fn panel(locale: Locale) -> Markup {
    let t = &locale.texts().demo;
    debug_assert_eq!(WAITS.len() as u64, CLICKS);
    html! {
        section.card.demo id="demo" aria-labelledby="demo-title" data-state="idle" {
            div.demo-head {
                div {
                    h2 id="demo-title" {
                        (t.title)
                        (layout::chapter(locale.texts(), "concurrency"))
                    }
                    p { (t.intro) }
                }
                button.button.primary id="demo-run" data-idle=(t.run) data-running=(t.running) data-done=(t.again) {
                    (t.run)
                }
            }
            ol.lanes aria-label=(t.lanes) {
                (lane("locale", LOCALE_WAIT, t.language, t.waits))
                (lane("cart", CART_WAIT, t.items, t.waits))
                @for wait in WAITS { (lane("click", wait, t.clicks, t.waits)) }
            }
            p.failed id="demo-failed" role="alert" hidden { (t.failed) }
            div.outcome id="demo-outcome" hidden {
                p.verdict role="status" {
                    strong id="demo-verdict" data-good=(t.verdict) data-bad=(t.wrong) {}
                }
                div.scroll tabindex="0" role="region" aria-labelledby="demo-title" {
                    table {
                        thead { tr {
                            @for head in [t.field, t.before, t.expected, t.actual, t.whole] {
                                th scope="col" { (head) }
                            }
                        } }
                        tbody {
                            @for (field, name) in [("locale", t.language), ("items", t.items), ("clicks", t.clicks)] {
                                tr data-field=(field) {
                                    th scope="row" { (name) }
                                    td data-column="before" data-label=(t.before) {}
                                    td data-column="expected" data-label=(t.expected) {}
                                    td data-column="actual" data-label=(t.actual) { (mark(t.kept, t.lost)) }
                                    td data-column="whole" data-label=(t.whole) { (mark(t.kept, t.lost)) }
                                }
                            }
                        }
                    }
                }
            }
            p.quiet { (t.why) " " strong { (t.rule) } }
        }
    }
}

fn lane(change: &str, wait: u64, name: &str, waits: fn(u64) -> String) -> Markup {
    html! {
        li data-change=(change) data-wait=(wait) {
            span.lane-name { (name) }
            span.track aria-hidden="true" { span.run {} }
            span.lane-wait { (waits(wait)) }
        }
    }
}

fn mark(kept: &str, lost: &str) -> Markup {
    html! {
        span.value {} " " span.mark data-kept=(kept) data-lost=(lost) {}
    }
}
