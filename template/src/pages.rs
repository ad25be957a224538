//! The pages. Maud escapes everything that is put into them.

use maud::{DOCTYPE, Markup, html};

/// One of the user's sessions, for the list of devices.
pub struct Device {
    pub id: String,
    pub name: String,
    pub is_this_one: bool,
}

fn page(title: &str, notices: &[String], body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } }
            body {
                h1 { (title) }
                @for notice in notices { p role="status" { (notice) } }
                (body)
            }
        }
    }
}

pub fn welcome(notices: &[String]) -> Markup {
    page(
        "Welcome",
        notices,
        html! {
            p { a href="/login" { "Sign in" } " or " a href="/register" { "create an account" } }
        },
    )
}

pub fn account(name: &str, notices: &[String], devices: &[Device]) -> Markup {
    page(
        "Your account",
        notices,
        html! {
            p { "Signed in as " strong { (name) } }
            form method="post" action="/logout" { button { "Sign out" } }
            h2 { "Devices" }
            ul {
                @for device in devices {
                    li {
                        (device.name)
                        @if device.is_this_one { " (this one)" } @else {
                            form method="post" action="/devices/end" {
                                input type="hidden" name="id" value=(device.id);
                                button { "Sign out" }
                            }
                        }
                    }
                }
            }
            form method="post" action="/devices/end-others" { button { "Sign out all others" } }
            h2 { "Password" }
            form method="post" action="/password" {
                label { "Current " input type="password" name="current" autocomplete="current-password" required; }
                label { "New " input type="password" name="new" autocomplete="new-password" minlength="12" required; }
                button { "Change" }
            }
            h2 { "Close the account" }
            form method="post" action="/close" { button { "Close" } }
        },
    )
}

/// A form for a name and a password, which goes on to `next`.
pub fn credentials(title: &str, action: &str, next: &str, notices: &[String]) -> Markup {
    page(
        title,
        notices,
        html! {
            form method="post" action=(action) {
                input type="hidden" name="next" value=(next);
                label { "Name " input name="name" autocomplete="username" required; }
                label { "Password " input type="password" name="password" required; }
                button { (title) }
            }
        },
    )
}

pub fn confirm(notices: &[String]) -> Markup {
    page(
        "Enter your password",
        notices,
        html! {
            form method="post" action="/confirm" {
                label { "Password " input type="password" name="password" autocomplete="current-password" required; }
                button { "Go on" }
            }
        },
    )
}
