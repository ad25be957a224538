//! The table of fields that describes the schema to the runtime.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use crate::ast::{Field, Policy, Schema};
use crate::attr::{DefaultValue, OnInvalid};
use crate::names::type_name;
use crate::shape::is_one_of;
use crate::spans;

/// Expands `Field::new(…)` and the calls for all options of the field.
pub(super) fn entry(schema: &Schema<'_>, field: &Field<'_>) -> TokenStream {
    let stored = schema.full_name(&field.stored.0);
    let type_name = type_name(field.ty);
    let key = &field.key;
    let default = default(field);
    let aliases = field.options.aliases.iter().map(|alias| schema.full_name(&alias.value()));
    let aliases = (aliases.len() > 0).then(|| quote!(.aliases(&[#(#aliases),*])));
    let properties = properties(field);
    quote! {
        __session::Field::new(#stored, #type_name, Self::#key.codec(), #default)
            #aliases #properties
    }
}

fn properties(field: &Field<'_>) -> TokenStream {
    let mut properties = TokenStream::new();
    match field.policy {
        Policy::Counter => {
            let signed = is_one_of(field.ty, &["i64"]);
            properties.extend(quote!(.kind(__session::FieldKind::Counter { signed: #signed })));
        }
        Policy::Flash => properties.extend(quote!(.kind(__session::FieldKind::Flash))),
        Policy::Nonce | Policy::KeyedNonce => {
            let keyed = field.policy == Policy::KeyedNonce;
            properties.extend(quote!(.kind(__session::FieldKind::Nonce { keyed: #keyed })));
        }
        Policy::Principal => properties.extend(quote!(.principal())),
        Policy::WriteOnce => properties.extend(quote!(.write_once())),
        Policy::Skip | Policy::Value => {}
    }
    if let Some(given) = &field.options.merge {
        properties.extend(merge(field, &given.value));
    }
    if let Some(given) = &field.options.ttl {
        let millis = Literal::u64_unsuffixed(given.value);
        properties.extend(quote!(.ttl(#millis)));
    }
    let options = &field.options;
    for (given, property) in [
        (options.compare, quote!(.compare())),
        (options.renew, quote!(.renew())),
        (options.clear_on_login, quote!(.clear_on_login())),
        (options.carry_over, quote!(.carry_over())),
        (options.listed, quote!(.listed())),
        (options.secret, quote!(.secret())),
    ] {
        properties.extend(given.map(|_| property));
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

/// Expands the merge function. A wrong signature is reported where the user wrote the path.
fn merge(field: &Field<'_>, function: &Path) -> TokenStream {
    let ty = &field.repeated_ty;
    let arguments = quote!(__session_base, __session_stored, __session_mine);
    quote!(.merge(|#arguments| __session::merge_with::<#ty, _>(#arguments, #function)))
}

/// Expands a function that returns the field's default. The user's expression keeps its
/// span, so a value of the wrong type is reported there.
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
