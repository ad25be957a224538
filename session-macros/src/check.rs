//! The rules. One function per rule, documented by the rule itself; every violation is
//! reported at its location, with what to write instead.

mod names;
mod policies;
mod types;

use proc_macro2::Ident;
use syn::{Data, Fields, GenericParam};

use crate::ast::Schema;
use crate::diagnostics::Diagnostics;

pub(crate) fn schema(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    shape(schema, diagnostics);
    generics(schema, diagnostics);
    handle(schema, diagnostics);
    namespace(schema, diagnostics);
    migration(schema, diagnostics);

    policies::exclusive(schema, diagnostics);
    policies::one_principal(schema, diagnostics);
    policies::principal_is_optional(schema, diagnostics);
    policies::principal_has_no_default(schema, diagnostics);
    policies::keyed_nonces_end(schema, diagnostics);

    types::counter_is_a_number(schema, diagnostics);
    types::nonces_come_and_go(schema, diagnostics);
    types::copy_is_copy(schema, diagnostics);
    types::default_of_an_option(schema, diagnostics);
    types::nothing_is_borrowed(schema, diagnostics);
    types::changes_are_seen(schema, diagnostics);
    types::self_is_named(schema, diagnostics);

    names::stored_names_are_valid(schema, diagnostics);
    names::stored_names_differ(schema, diagnostics);
    names::accessors_hide_nothing(schema, diagnostics);
    names::accessors_differ(schema, diagnostics);
    names::keys_differ(schema, diagnostics);
}

/// A schema is a struct with named fields.
fn shape(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let ident = &schema.input.ident;
    match &schema.input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(_) => {}
            Fields::Unnamed(fields) => diagnostics.over(
                fields,
                format!(
                    "a session's fields need names, for their accessors: \
                     write `struct {ident} {{ name: Type }}`"
                ),
            ),
            Fields::Unit => diagnostics.over(
                ident,
                format!(
                    "a session is a struct with braces, even without fields: \
                     write `struct {ident} {{}}`"
                ),
            ),
        },
        Data::Enum(data) => diagnostics.over(data.enum_token, not_a_struct("enum", ident)),
        Data::Union(data) => diagnostics.over(data.union_token, not_a_struct("union", ident)),
    }
}

fn not_a_struct(what: &str, ident: &Ident) -> String {
    let name = if ident == "Visitor" { "Browser" } else { "Visitor" };
    format!(
        "a session is a struct, whose fields are stored one by one: derive `SessionSchema` on a \
         struct with a field of this {what}, such as `struct {name} {{ state: {ident} }}`"
    )
}

/// A schema has no generic parameters: stored bytes do not record type parameters, and a
/// session outlives anything that it could borrow.
fn generics(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for parameter in &schema.input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) => diagnostics.over(
                parameter,
                "a session outlives the request, so it cannot borrow: own the data, \
                 with `String` instead of `&str` and `Vec<T>` instead of `&[T]`",
            ),
            GenericParam::Type(parameter) => diagnostics.over(
                parameter,
                format!(
                    "a session schema has no type parameters: \
                     write the type itself in place of `{}`, or one struct for each type",
                    parameter.ident,
                ),
            ),
            GenericParam::Const(parameter) => diagnostics.over(
                parameter,
                format!(
                    "a session schema has no const parameters: \
                     write the value itself in place of `{}`",
                    parameter.ident,
                ),
            ),
        }
    }
    if let Some(clause) = &schema.input.generics.where_clause
        && schema.input.generics.params.is_empty()
    {
        diagnostics.over(
            clause,
            "a session schema has no parameters, so there is nothing to bound: remove the `where`",
        );
    }
}

/// The handle is another type than the struct.
fn handle(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let given = schema.options.handle.as_ref();
    if let Some(handle) = given.filter(|handle| **handle == schema.input.ident) {
        diagnostics.over(
            handle,
            format!("the handle needs a name of its own, such as `handle = {handle}Session`"),
        );
    }
}

/// The longest namespace, in bytes.
const LONGEST_NAMESPACE: usize = 32;

/// A namespace is a valid prefix of stored names, which a colon ends.
fn namespace(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let Some(literal) = &schema.options.namespace else {
        return;
    };
    let name = literal.value();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let fault = if name.is_empty() {
        "is empty: give it a name, such as `namespace = \"admin\"`, or remove the option".to_owned()
    } else if name.len() > LONGEST_NAMESPACE {
        format!("has {} bytes: {LONGEST_NAMESPACE} are allowed", name.len())
    } else if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        format!("contains {bad:?}: use `a` to `z`, digits, `_` and `-`")
    } else {
        return;
    };
    diagnostics.over(literal, format!("the namespace {name:?} {fault}"));
}

/// Migrations need a version of at least 2: sessions stored without one have version 1.
fn migration(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let version = schema.options.version.unwrap_or(1);
    if let Some(migrate) = schema.options.migrate.as_ref().filter(|_| version < 2) {
        diagnostics.at(
            migrate.span,
            "`migrate` brings fields up from an earlier version, and version 1 is the first: \
             write `version = 2` beside it",
        );
    }
}
