//! The paths in the generated code: `::core::…` and the runtime's `__private`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Schema;

/// Returns the path of the only runtime module that generated code may name.
pub(crate) fn private(schema: &Schema<'_>) -> TokenStream {
    match &schema.options.runtime {
        Some(path) => quote!(#path::__private),
        None => quote!(::session_runtime::__private),
    }
}

/// Imports that module under a short name inside the block of the impls.
pub(crate) fn import(schema: &Schema<'_>) -> TokenStream {
    let private = private(schema);
    quote!(use #private as __session;)
}

/// Returns `Option<inner>`.
pub(crate) fn option(inner: &TokenStream) -> TokenStream {
    quote!(::core::option::Option<#inner>)
}

/// Returns `Result<Option<inner>, SessionError>`.
pub(crate) fn consumed(inner: &TokenStream) -> TokenStream {
    let option = option(inner);
    quote!(::core::result::Result<#option, __session::SessionError>)
}

/// Returns the path of `Into`.
pub(crate) fn into() -> TokenStream {
    quote!(::core::convert::Into)
}
