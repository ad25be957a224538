//! Everything the shop stores about a visitor, in one struct. The guide explains
//! each option: docs/guide/fields.md.

use serde::{Deserialize, Serialize};
use session_runtime::SessionSchema;

use crate::checkout::{Address, Delivery, Order};

use crate::catalogue::{Product, UserId};
use crate::texts::Locale;

/// One visitor's session.
#[derive(SessionSchema)]
pub(crate) struct Visitor {
    /// Who is signed in. Setting it renews the token.
    #[session(principal, copy)]
    user: Option<UserId>,
    /// The language of the page.
    #[session(copy)]
    locale: Locale,
    /// How often the page was opened. Two tabs at once count twice. (Counting on GET
    /// gives every client a session, crawlers included. That suits a demo only.)
    #[session(counter)]
    visits: u64,
    /// The lines of the cart.
    cart: Vec<Line>,
    /// A message for the next page, shown once.
    #[session(flash)]
    notice: Option<Notice>,
    /// The device that signed in, as "my devices" shows it.
    #[session(listed)]
    device: Option<String>,
    /// Where the next order goes. It is removed if the checkout is abandoned, and
    /// at sign-in, because a previous user of this browser may have left it.
    #[session(ttl = "15m", clear_on_login)]
    address: Option<Address>,
    /// How the next order is delivered.
    #[session(copy)]
    delivery: Option<Delivery>,
    /// The last order, for the page that confirms it.
    #[session(copy)]
    order: Option<Order>,
    /// How many orders were placed.
    #[session(counter)]
    orders: u64,
    /// The counter of the demo.
    #[session(counter)]
    clicks: u64,
}

/// One line of the cart.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    pub(crate) product: Product,
    pub(crate) quantity: u32,
}

/// What happened. The page that shows it translates it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    SignedIn(UserId),
    Added(Product),
    Removed(Product),
    EndedOne,
    EndedOthers(u64),
    AddressNeeded,
    DeliveryNeeded,
    CartChanged,
    PlacedBefore,
}

/// The derive generates `VisitorSession`, for which `Session<Visitor>` is an alias.
/// It is a type of this crate, so the shop can add its own methods.
impl VisitorSession {
    /// Puts one more of `product` into the cart.
    pub(crate) fn add_to_cart(&mut self, product: Product) {
        let cart = self.cart_mut();
        match cart.iter_mut().find(|line| line.product == product) {
            Some(line) => line.quantity = line.quantity.saturating_add(1),
            None => cart.push(Line { product, quantity: 1 }),
        }
    }

    /// Takes one of `product` out of the cart.
    pub(crate) fn take_from_cart(&mut self, product: Product) {
        let cart = self.cart_mut();
        for line in cart.iter_mut().filter(|line| line.product == product) {
            line.quantity = line.quantity.saturating_sub(1);
        }
        cart.retain(|line| line.quantity > 0);
    }

    /// Takes every `product` out of the cart.
    pub(crate) fn remove_from_cart(&mut self, product: Product) {
        self.cart_mut().retain(|line| line.product != product);
    }

    /// The number of items in the cart.
    pub(crate) fn items(&self) -> u32 {
        self.cart().iter().map(|line| line.quantity).sum()
    }
}
