//! Icons, as inline SVG.

use maud::{Markup, PreEscaped, html};

use crate::catalogue::Product;

/// The browser tab's icon: a cup.
pub(super) const FAVICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%23b4532a'/%3E%3Cpath d='M9 10h14v5a7 7 0 0 1-14 0zM8 25h16' fill='none' stroke='%23fff' stroke-width='2.5' stroke-linecap='round'/%3E%3C/svg%3E";

pub(super) fn brand() -> Markup {
    draw(
        "brand-icon",
        "0 0 32 32",
        r#"<rect width="32" height="32" rx="9" fill="currentColor" stroke="none"/><path d="M9 10h14v5a7 7 0 0 1-14 0zM8 25h16" stroke="var(--paper)"/>"#,
    )
}

pub(super) fn check() -> Markup {
    draw("check", "0 0 24 24", r#"<circle cx="12" cy="12" r="10"/><path d="m7.5 12.5 3 3 6-6.5"/>"#)
}

pub(super) fn product(product: Product) -> Markup {
    let path = match product {
        Product::Pen => {
            r#"<path d="M62 14 82 34 44 72 20 78l6-24z"/><path d="m20 78 17-17"/><circle cx="41" cy="57" r="4"/><path d="m54 22 20 20"/>"#
        }
        Product::Notebook => {
            r#"<rect x="24" y="14" width="52" height="66" rx="6"/><path d="M36 14v66M18 28h12M18 47h12M18 66h12M48 34h16M48 45h16"/>"#
        }
        Product::Lamp => {
            r#"<path d="M30 80h34M47 80V58L28 40l22-20"/><path d="m42 14 24 26c6-6 8-14 4-22s-18-12-28-4z"/><path d="m70 48 6 10M60 52l2 12M78 38l10 4"/>"#
        }
        Product::Cup => {
            r#"<path d="M24 38h44v18a22 22 0 0 1-44 0z"/><path d="M68 42h6a9 9 0 0 1 0 18h-8M20 84h54M36 14c-4 6 4 8 0 14M50 14c-4 6 4 8 0 14"/>"#
        }
    };
    draw("drawing", "0 0 96 96", path)
}

/// The paths are constants of this file; nothing from outside gets here.
fn draw(class: &str, view: &str, paths: &'static str) -> Markup {
    html! {
        svg class=(class) viewBox=(view) aria-hidden="true" focusable="false" { (PreEscaped(paths)) }
    }
}
