//! One constant per field: its typed key.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};

use crate::ast::{Field, Policy, Schema};
use crate::spans;

pub(crate) fn keys(schema: &Schema<'_>) -> TokenStream {
    let ident = &schema.ident;
    let keys = schema.stored().enumerate().map(|(index, field)| {
        let value = match &field.options.with {
            None => of_serde_type(field, index),
            Some(with) => of_module(field, index, &with.value),
        };
        key(schema, field, &value)
    });
    quote!(impl #ident { #(#keys)* })
}

pub(crate) fn key(schema: &Schema<'_>, field: &Field<'_>, value: &TokenStream) -> TokenStream {
    let Schema { vis, ident, .. } = schema;
    let Field { key, key_ty: ty, deprecated, .. } = field;
    let doc = format!("Key of `{}`.", field.name);
    let (_, arguments, _) = schema.generics.split_for_impl();
    let kind = match field.policy {
        Policy::Counter => quote!(, __session::kind::Counter),
        Policy::Flash => quote!(, __session::kind::Flash),
        Policy::Nonce => quote!(, __session::kind::Nonce),
        Policy::KeyedNonce => quote!(, __session::kind::KeyedNonce),
        _ => TokenStream::new(),
    };
    let head = spans::at(
        field.ident.span(),
        quote! {
            #[doc = #doc]
            #deprecated
            #vis const #key: __session::Key<#ident #arguments, #ty #kind>
        },
    );
    quote!(#head = #value;)
}

/// The only code that requires the field's type to be a `FieldType`: the constructor's
/// path has the type's span, so that the error is reported there.
fn of_serde_type(field: &Field<'_>, index: usize) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    let (first, last) = spans::ends(&field.key_ty);
    let new = Ident::new("new", last);
    quote_spanned!(first=> __session::Key::#new(#index))
}

fn of_module(field: &Field<'_>, index: usize, module: &syn::Path) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    let ty = &field.key_ty;
    let (_, last) = spans::ends(&quote!(#module));
    let serialize = Ident::new("serialize", last);
    let deserialize = Ident::new("deserialize", last);
    quote! {
        __session::Key::with(#index, &__session::Codec {
            encode: |__session_value, __session_out| __session::encode_with::<#ty>(
                __session_value,
                __session_out,
                |__session_value, __session_json| {
                    #module::#serialize(__session_value, __session_json)
                },
            ),
            decode: |__session_bytes| __session::decode_with::<#ty>(
                __session_bytes,
                |__session_json| #module::#deserialize(__session_json),
            ),
        })
    }
}
