//! Expands a schema that passed every check. Nothing here reads attributes or reports
//! errors.

pub(crate) mod accessors;
pub(crate) mod handle;
mod impls;
pub(crate) mod keys;
mod table;

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Schema;
use crate::paths;

/// The handle is placed next to the struct, where rustdoc shows it and users add methods
/// to it. The impls are placed in a block, in which the runtime has a private short name.
pub(crate) fn schema(schema: &Schema<'_>) -> TokenStream {
    let handle = &schema.handle;
    let definition = handle::definition(schema);
    let import = paths::import(schema);
    let keys = keys::keys(schema);
    let session_schema = impls::session_schema(schema);
    let has_principal = impls::has_principal(schema);
    let handle_impls = handle::impls(schema);
    let accessors = accessors::accessors(schema);
    quote! {
        #definition
        const _: () = {
            #import
            #keys
            #session_schema
            #has_principal
            #handle_impls
            #accessors
            __session::extractors!(#handle);
        };
    }
}
