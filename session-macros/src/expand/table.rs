//! The table of fields: what the runtime knows of each.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use crate::ast::{Field, Policy};
use crate::attr::{DefaultValue, OnInvalid};
use crate::names::type_name;
use crate::shape::is_one_of;
use crate::spans;

/// `Field::new(…)` and whatever differs from a plain field.
pub(super) fn entry(field: &Field<'_>) -> TokenStream {
    let stored = &field.stored.0;
    let type_name = type_name(field.ty);
    let key = &field.key;
    let default = default(field);
    let properties = properties(field);
    quote! {
        __session::Field::new(#stored, #type_name, Self::#key.codec(), #default) #properties
    }
}

fn properties(field: &Field<'_>) -> TokenStream {
    let mut properties = TokenStream::new();
    if !field.options.aliases.is_empty() {
        let aliases = &field.options.aliases;
        properties.extend(quote!(.aliases(&[#(#aliases),*])));
    }
    match field.policy {
        Policy::Counter => {
            let signed = is_one_of(field.ty, &["i64"]);
            properties.extend(quote!(.kind(__session::FieldKind::Counter { signed: #signed })));
        }
        Policy::Flash => properties.extend(quote!(.kind(__session::FieldKind::Flash))),
        Policy::Principal => properties.extend(quote!(.principal())),
        Policy::Skip | Policy::Value => {}
    }
    if field.options.renew.is_some() {
        properties.extend(quote!(.renew()));
    }
    if field.is_absent_when_none() {
        properties.extend(quote!(.null_is_absent()));
    }
    match field.options.on_invalid.as_ref().map(|given| given.value) {
        None | Some(OnInvalid::Default) => {}
        Some(OnInvalid::Error) => {
            properties.extend(quote!(.on_invalid(__session::OnInvalid::Error)));
        }
        Some(OnInvalid::DropSession) => {
            properties.extend(quote!(.on_invalid(__session::OnInvalid::DropSession)));
        }
    }
    properties
}

/// A function that makes the field's default. What the user wrote keeps its
/// span, so a value of the wrong type is underlined itself.
fn default(field: &Field<'_>) -> TokenStream {
    let ty = &field.repeated_ty;
    let value = match field.options.default.as_ref().map(|given| &given.value) {
        None | Some(DefaultValue::OfType) => {
            let (first, last) = spans::ends(ty);
            let default = Ident::new("default", last);
            return quote_spanned!(first=> __session::#default::<#ty>);
        }
        Some(DefaultValue::Text(text)) => {
            let span = spans::generated(text.span());
            quote_spanned!(span=> ::core::convert::From::from(#text))
        }
        Some(DefaultValue::Expr(expr)) => expr.clone(),
    };
    if field.shape.optional {
        quote!(|| __session::boxed::<#ty>(::core::option::Option::Some(#value)))
    } else {
        quote!(|| __session::boxed::<#ty>(#value))
    }
}
