//! The shelf and the cart.

use maud::{Markup, html};

use super::{Home, icons, layout};
use crate::catalogue::Product;
use crate::checkout;
use crate::texts::Texts;

/// The products.
pub(super) fn shelf(t: &Texts) -> Markup {
    html! {
        section.shelf aria-labelledby="shelf-title" {
            h2 id="shelf-title" { (t.cart.shelf) }
            ul.products {
                @for product in Product::ALL {
                    @let (name, about) = (t.product)(product);
                    li.product.(product.key()) {
                        div.picture { (icons::product(product)) }
                        h3 { (name) }
                        p { (about) }
                        form method="post" action="/cart" {
                            input type="hidden" name="product" value=(product.key());
                            span.price { ((t.price)(product.price())) }
                            button.button.small name="action" value="add" aria-label={ (name) ": " (t.cart.add) } {
                                (t.cart.add)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The cart.
pub(super) fn cart(page: &Home<'_>) -> Markup {
    let t = page.texts();
    let total = checkout::price(page.cart);
    let items: u32 = page.cart.iter().map(|line| line.quantity).sum();
    html! {
        section.card id="cart" data-items=(items) aria-labelledby="cart-title" {
            h2 id="cart-title" {
                (t.cart.title)
                @if items > 0 { span.badge { (items) } }
                (layout::chapter(t, "fields"))
            }
            @if page.cart.is_empty() {
                p.quiet { (t.cart.empty) }
            } @else {
                ul.lines {
                    @for line in page.cart {
                        @let name = (t.product)(line.product).0;
                        li {
                            form method="post" action="/cart" {
                                input type="hidden" name="product" value=(line.product.key());
                                span.name { (name) }
                                span.quantity {
                                    (action("less", "−", t.cart.less, name))
                                    span { (line.quantity) }
                                    (action("more", "+", t.cart.more, name))
                                }
                                span.price { ((t.price)(line.product.price().saturating_mul(line.quantity))) }
                                (action("remove", "×", t.cart.remove, name))
                            }
                        }
                    }
                }
                p.total { span { (t.cart.total) } strong { ((t.price)(total)) } }
                a.button.primary id="checkout" href="/checkout/address" { (t.checkout.start) }
            }
        }
    }
}

fn action(value: &str, sign: &str, label: &str, name: &str) -> Markup {
    html! {
        button.round name="action" value=(value) title=(label) aria-label={ (name) ": " (label) } { (sign) }
    }
}
