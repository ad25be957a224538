//! The generated handle: a struct around the runtime's.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Schema;
use crate::{names, paths};

pub(crate) fn definition(schema: &Schema<'_>) -> TokenStream {
    let Schema { vis, ident, handle, .. } = schema;
    let private = paths::private(schema);
    let inner = names::inner();
    let (parameters, arguments, bounds) = schema.generics.split_for_impl();
    let doc = format!(
        "A session of [`{ident}`]: methods for each field, above those that every session has."
    );
    quote! {
        #[doc = #doc]
        #vis struct #handle #parameters #bounds {
            #inner: #private::Handle<#ident #arguments>,
        }
    }
}

pub(crate) fn impls(schema: &Schema<'_>) -> TokenStream {
    let Schema { ident, handle, .. } = schema;
    let inner = names::inner();
    let (parameters, arguments, bounds) = schema.generics.split_for_impl();
    let target = quote!(__session::Handle<#ident #arguments>);
    quote! {
        #[automatically_derived]
        impl #parameters __session::SessionHandle for #handle #arguments #bounds {
            type Schema = #ident #arguments;
        }
        #[automatically_derived]
        impl #parameters ::core::convert::From<#target> for #handle #arguments #bounds {
            fn from(#inner: #target) -> Self {
                Self { #inner }
            }
        }
        #[automatically_derived]
        impl #parameters ::core::ops::Deref for #handle #arguments #bounds {
            type Target = #target;
            fn deref(&self) -> &Self::Target {
                &self.#inner
            }
        }
        #[automatically_derived]
        impl #parameters ::core::ops::DerefMut for #handle #arguments #bounds {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.#inner
            }
        }
        #[automatically_derived]
        impl #parameters ::core::fmt::Debug for #handle #arguments #bounds {
            fn fmt(&self, __session_f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.#inner, __session_f)
            }
        }
    }
}
