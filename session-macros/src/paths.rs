//! The paths of the output: `::core::…` and the runtime's `__private`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Schema;

/// All that generated code may name of the runtime.
pub(crate) fn private(schema: &Schema<'_>) -> TokenStream {
    match &schema.options.runtime {
        Some(path) => quote!(#path::__private),
        None => quote!(::session_runtime::__private),
    }
}

/// Gives it a short name inside the block that holds the impls.
pub(crate) fn import(schema: &Schema<'_>) -> TokenStream {
    let private = private(schema);
    quote!(use #private as __session;)
}

/// `Option<inner>`
pub(crate) fn option(inner: &TokenStream) -> TokenStream {
    quote!(::core::option::Option<#inner>)
}

/// `Result<Option<inner>, SessionError>`
pub(crate) fn consumed(inner: &TokenStream) -> TokenStream {
    let option = option(inner);
    quote!(::core::result::Result<#option, __session::SessionError>)
}

/// Converts a value to the type that is expected of it.
pub(crate) fn into() -> TokenStream {
    quote!(::core::convert::Into)
}
