//! The cart.

use axum::extract::Form;
use axum::response::Redirect;
use serde::Deserialize;
use session_runtime::Session;

use crate::catalogue::Product;
use crate::session::{Notice, Visitor};

#[derive(Deserialize)]
pub(crate) struct Change {
    product: Product,
    action: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// From the shelf.
    Add,
    /// One more, from the cart.
    More,
    Less,
    Remove,
}

pub(crate) async fn change(mut session: Session<Visitor>, Form(change): Form<Change>) -> Redirect {
    let product = change.product;
    match change.action {
        Action::Add => {
            session.add_to_cart(product);
            session.set_notice(Notice::Added(product));
        }
        Action::More => session.add_to_cart(product),
        Action::Less => session.take_from_cart(product),
        Action::Remove => {
            session.remove_from_cart(product);
            session.set_notice(Notice::Removed(product));
        }
    }
    Redirect::to("/#shop")
}
