//! The derive of `session-runtime`: a struct becomes a typed session.
//!
//! Use it through `session_runtime::SessionSchema`; its options are listed in
//! that crate's documentation. Data flow: the struct's tokens → `attr`
//! (options with their spans) → `ast` (the model) → `check` (every rule, all
//! violations reported together) → `expand`, or `fallback` if there were errors.

mod ast;
mod attr;
mod check;
mod diagnostics;
mod expand;
mod fallback;
mod names;
mod options;
mod paths;
mod shape;
mod spans;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives a typed session from a struct, with accessors for every field.
///
/// See the documentation of `session_runtime` for an example and the table of
/// options.
#[proc_macro_derive(SessionSchema, attributes(session))]
pub fn derive_session_schema(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    derive(&parse_macro_input!(input as DeriveInput)).into()
}

fn derive(input: &DeriveInput) -> TokenStream {
    let diagnostics = diagnostics::Diagnostics::default();
    let schema = ast::Schema::read(input, &diagnostics);
    check::schema(&schema, &diagnostics);
    match diagnostics.finish() {
        Ok(()) => expand::schema(&schema),
        Err(errors) => fallback::schema(&schema, &errors),
    }
}
