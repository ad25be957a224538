//! The code that is emitted along with errors: the same names without bodies, so
//! that uses of the struct do not cause further errors.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::ast::Schema;
use crate::expand::{accessors, handle, keys};
use crate::names::RESERVED;
use crate::{paths, spans};

pub(crate) fn schema(schema: &Schema<'_>, errors: &syn::Error) -> TokenStream {
    let errors = errors.to_compile_error();
    let Schema { ident, handle, generics, .. } = schema;
    let definition = handle::definition(schema);
    let import = paths::import(schema);
    let keys = keys(schema);
    let has_principal = has_principal(schema);
    let handle_impls = handle::impls(schema);
    let accessors = accessors(schema);
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let extractors = generics.params.is_empty().then(|| quote!(__session::extractors!(#handle);));
    quote! {
        #errors
        #definition
        const _: () = {
            #import
            impl #parameters __session::SessionSchema for #ident #arguments #bounds {
                type Session = #handle #arguments;
                const SCHEMA: &'static __session::Schema =
                    &__session::Schema::new(&0, "", "", &[]);
                fn __snapshot(_: &__session::Handle<Self>) -> Self {
                    ::core::unreachable!()
                }
                fn __replace(self, _: &mut __session::Handle<Self>) {}
            }
            impl #parameters #ident #arguments #bounds { #keys }
            #has_principal
            #handle_impls
            impl #parameters #handle #arguments #bounds { #accessors }
            #extractors
        };
    }
}

/// Returns a key without a codec, and therefore without a bound on the field's type.
fn key() -> TokenStream {
    quote! {
        __session::Key::with(0, &__session::Codec {
            encode: |_, _| ::core::unreachable!(),
            decode: |_| ::core::unreachable!(),
        })
    }
}

/// Returns the keys, only the first of each name.
fn keys(schema: &Schema<'_>) -> TokenStream {
    let value = key();
    let mut taken = HashSet::new();
    let fields = schema.stored().filter(|field| taken.insert(&field.key));
    fields.map(|field| keys::key(schema, field, &value)).collect()
}

/// Returns the methods, only the first of each name and none that would hide another.
fn accessors(schema: &Schema<'_>) -> TokenStream {
    let mut taken: HashSet<&Ident> = HashSet::new();
    let mut methods = TokenStream::new();
    let body = quote!(::core::unreachable!());
    for field in &schema.fields {
        for accessor in &field.accessors {
            let hides = RESERVED.iter().any(|reserved| accessor.ident == reserved);
            if !hides && taken.insert(&accessor.ident) {
                methods.extend(accessors::method(schema, field, accessor, &body));
            }
        }
    }
    methods
}

fn has_principal(schema: &Schema<'_>) -> Option<TokenStream> {
    let field = schema.fields.iter().find(|field| field.options.principal.is_some())?;
    let (parameters, arguments, bounds) = schema.generics.split_for_impl();
    let ident = &schema.ident;
    let principal = spans::repeat(field.shape.inner);
    let option = paths::option(&principal);
    let key = key();
    Some(quote! {
        impl #parameters __session::HasPrincipal for #ident #arguments #bounds {
            type Principal = #principal;
            const PRINCIPAL: __session::Key<Self, #option> = #key;
        }
    })
}
