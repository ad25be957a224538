//! From the cart to the order.
//!
//! Each step is a separate field, so two tabs in different steps both keep what
//! they wrote. The order is one transaction: it is placed from what is
//! stored at that moment, if that is what the visitor was shown.

use serde::{Deserialize, Serialize};

use crate::session::{Line, VisitorSession};

/// The pages: address, delivery, review.
pub(crate) const STEPS: [&str; 3] = ["/checkout/address", "/checkout/delivery", "/checkout/review"];

/// The page that confirms an order.
pub(crate) const DONE: &str = "/checkout/done";

/// Where an order goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) street: String,
    pub(crate) town: String,
}

impl Address {
    /// Removes the blanks around each line.
    pub(crate) fn trimmed(&self) -> Self {
        let [name, street, town] = self.lines().map(|line| line.trim().to_owned());
        Self { name, street, town }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.lines().iter().all(|line| (1..=80).contains(&line.chars().count()))
    }

    pub(crate) fn lines(&self) -> [&str; 3] {
        [&self.name, &self.street, &self.town]
    }
}

/// How an order is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    Post,
    Courier,
    Pickup,
}

impl Delivery {
    /// All ways of delivery.
    pub(crate) const ALL: [Self; 3] = [Self::Post, Self::Courier, Self::Pickup];

    /// Its name in forms and in the session.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Courier => "courier",
            Self::Pickup => "pickup",
        }
    }

    /// Its price in cents.
    pub(crate) const fn price(self) -> u32 {
        match self {
            Self::Post => 390,
            Self::Courier => 890,
            Self::Pickup => 0,
        }
    }
}

/// An order: its number within this session, and its price in cents. The review
/// page shows the order that would be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) total: u32,
}

/// Why an order was not placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unplaced {
    /// It was placed before: by a double click, in another tab, or from a page in
    /// the browser's history.
    Before,
    EmptyCart,
    NoAddress,
    NoDelivery,
    /// It differs from the one that was shown.
    Changed,
}

impl VisitorSession {
    /// The order that would be placed now, if nothing is missing.
    pub(crate) fn next_order(&self) -> Result<Order, Unplaced> {
        if self.cart().is_empty() {
            return Err(Unplaced::EmptyCart);
        }
        if self.address().is_none() {
            return Err(Unplaced::NoAddress);
        }
        let delivery = self.delivery().ok_or(Unplaced::NoDelivery)?;
        let total = price(self.cart()).saturating_add(delivery.price());
        Ok(Order { number: self.orders() + 1, total })
    }

    /// Places an order, inside a transaction. A real shop then writes it to its
    /// database, keyed by the session's id and this number, so that writing it
    /// again, after a crash for example, changes nothing.
    pub(crate) fn place_order(&mut self, shown: Order) -> Result<(), Unplaced> {
        if shown.number <= self.orders() {
            return Err(Unplaced::Before);
        }
        let order = self.next_order()?;
        if order != shown {
            return Err(Unplaced::Changed);
        }
        self.add_orders(1);
        self.set_order(order);
        self.set_cart(Vec::new());
        self.clear_address();
        self.clear_delivery();
        Ok(())
    }
}

/// The price of a cart, in cents.
pub(crate) fn price(cart: &[Line]) -> u32 {
    let prices = cart.iter().map(|line| line.product.price().saturating_mul(line.quantity));
    prices.fold(0, u32::saturating_add)
}

#[cfg(test)]
#[path = "checkout/tests.rs"]
mod tests;
