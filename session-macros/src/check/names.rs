//! Rules about stored and generated names.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::ext::IdentExt;

use crate::ast::{Field, Schema};
use crate::diagnostics::Diagnostics;
use crate::names::{RESERVED, Verb};

/// The longest stored name, in bytes.
const LONGEST: usize = 255;

/// Stored names, which stores use as keys, are short, printable and not reserved.
pub(super) fn stored_names_are_valid(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for (name, span) in schema.stored().flat_map(all_names) {
        let length = schema.full_name(&name).len();
        let fault = if name.is_empty() {
            "is empty: give the field a name".to_owned()
        } else if length > LONGEST {
            format!("has {length} bytes{}: {LONGEST} are allowed", with_namespace(schema))
        } else if name.starts_with("__") {
            "starts with `__`, which is kept for the toolkit's own data: \
             store it under another name with `#[session(rename = \"…\")]`"
                .to_owned()
        } else if let Some(bad) = name.chars().find(|c| c.is_control() || *c == ':') {
            format!("contains {bad:?}: use letters, digits and `_`")
        } else {
            continue;
        };
        diagnostics.at(span, format!("the stored name {name:?} {fault}"));
    }
}

fn with_namespace(schema: &Schema<'_>) -> &'static str {
    if schema.options.namespace.is_some() { " with its namespace" } else { "" }
}

fn all_names(field: &Field<'_>) -> Vec<(String, Span)> {
    let aliases = field.options.aliases.iter().map(|alias| (alias.value(), alias.span()));
    std::iter::once(field.stored.clone()).chain(aliases).collect()
}

/// A stored name, current or former, belongs to one field.
pub(super) fn stored_names_differ(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for field in schema.stored() {
        let (name, span) = &field.stored;
        if let Some(owner) = owners.get(name) {
            let cure = match field.options.rename {
                Some(_) => "choose another name",
                None => "store this one under another name with `#[session(rename = \"…\")]`",
            };
            diagnostics.at(*span, format!("field `{owner}` is already stored as `{name}`: {cure}"));
        } else {
            owners.insert(name.clone(), &field.name);
        }
    }
    for field in schema.stored() {
        for alias in &field.options.aliases {
            let name = alias.value();
            let fault = match owners.get(&name) {
                None => {
                    owners.insert(name, &field.name);
                    continue;
                }
                Some(owner) if *owner == field.name => {
                    format!("the field is read as `{name}` already: remove this alias")
                }
                Some(owner) => format!(
                    "`{name}` already means field `{owner}`: \
                     one stored name cannot be read as two fields"
                ),
            };
            diagnostics.at(alias.span(), fault);
        }
    }
}

/// No accessor hides a method that every session or value has.
pub(super) fn accessors_hide_nothing(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in &schema.fields {
        let mut accessors = field.accessors.iter();
        let Some(hiding) = accessors.find(|it| RESERVED.iter().any(|name| it.ident == name)) else {
            continue;
        };
        let keep = keep_stored_name(field);
        diagnostics.over(
            field.ident,
            format!(
                "the accessor `{}()` would hide a method that sessions have already: \
                 call the field for example `{}_{}`{keep}",
                hiding.ident,
                snake_case(&schema.input.ident.unraw().to_string()),
                field.name,
            ),
        );
    }
}

fn keep_stored_name(field: &Field<'_>) -> String {
    match field.options.rename {
        Some(_) => String::new(),
        None => format!(" and keep its stored name with `#[session(rename = \"{}\")]`", field.name),
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// Two fields do not generate the same method.
pub(super) fn accessors_differ(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let mut owners: HashMap<String, (&Field<'_>, Verb)> = HashMap::new();
    for field in &schema.fields {
        for accessor in &field.accessors {
            let name = accessor.ident.unraw().to_string();
            let Some((owner, verb)) = owners.get(&name) else {
                owners.insert(name, (field, accessor.verb));
                continue;
            };
            // The field whose getter has that name is the one to rename.
            let (at, of) = match verb {
                Verb::Get => (owner, field),
                _ => (&field, *owner),
            };
            let keep = keep_stored_name(at);
            diagnostics.over(
                at.ident,
                format!(
                    "`{name}()` is also a method of field `{}`: give this field another name{keep}",
                    of.name
                ),
            );
        }
    }
}

/// Two fields do not have the same key.
pub(super) fn keys_differ(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for field in schema.stored() {
        if let Some(owner) = owners.insert(field.key.to_string(), &field.name) {
            diagnostics.over(
                field.ident,
                format!(
                    "the key `{}::{}` is also that of field `{owner}`: \
                     give one of them another name",
                    schema.input.ident, field.key,
                ),
            );
        }
    }
}
