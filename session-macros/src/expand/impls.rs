//! The trait implementations for the user's struct.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use super::table;
use crate::ast::{Policy, Schema};
use crate::spans;

pub(super) fn session_schema(schema: &Schema<'_>) -> TokenStream {
    let Schema { ident, handle, .. } = schema;
    let name = ident.unraw().to_string();
    let namespace = schema.namespace();
    let entries = schema.stored().map(|field| table::entry(schema, field));
    let snapshot = schema.fields.iter().map(|field| {
        let (member, key) = (&field.member, &field.key);
        let value = match field.policy {
            Policy::Skip | Policy::KeyedNonce => quote!(::core::default::Default::default()),
            // A nonce is read only by consuming it.
            Policy::Nonce => quote!(::core::option::Option::None),
            _ => quote!(__session_handle.__owned(Self::#key)),
        };
        spans::at(field.ident.span(), quote!(#member: #value))
    });
    let replace = schema.stored().map(|field| {
        let (member, key) = (&field.member, &field.key);
        let put = match field.policy {
            // Reads the field, because the user's crate may deny unread fields.
            Policy::Nonce | Policy::KeyedNonce => quote!(let _ = &self.#member;),
            _ => quote!(__session_handle.__put(Self::#key, self.#member);),
        };
        spans::at(field.ident.span(), put)
    });
    let version = schema.options.version.map(|version| {
        let version = Literal::u32_unsuffixed(version);
        quote!(.version(#version))
    });
    let migrate = schema.options.migrate.as_ref().map(|given| {
        let path = &given.value;
        quote!(.migrate(#path))
    });
    quote! {
        #[automatically_derived]
        impl __session::SessionSchema for #ident {
            type Session = #handle;
            const SCHEMA: &'static __session::Schema = &__session::Schema::new(
                {
                    static __SESSION_ID: u8 = 0;
                    &__SESSION_ID
                },
                #name,
                #namespace,
                &[#(#entries),*],
            ) #version #migrate;
            fn __snapshot(__session_handle: &__session::Handle<Self>) -> Self {
                Self { #(#snapshot),* }
            }
            fn __replace(self, __session_handle: &mut __session::Handle<Self>) {
                #(#replace)*
            }
        }
    }
}

pub(super) fn has_principal(schema: &Schema<'_>) -> Option<TokenStream> {
    let field = schema.principal()?;
    let ident = &schema.ident;
    let principal = spans::repeat(field.shape.inner);
    let (ty, key) = (&field.repeated_ty, &field.key);
    // The type is located here: if it is less visible than the struct, the error is reported
    // at it.
    let (span, _) = spans::ends(&principal);
    let principal = spans::at(span, quote!(type Principal = #principal;));
    Some(quote! {
        #[automatically_derived]
        impl __session::HasPrincipal for #ident {
            #principal
            const PRINCIPAL: __session::Key<Self, #ty> = Self::#key;
        }
    })
}
