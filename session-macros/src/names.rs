//! The identifiers of the generated code.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;

use crate::ast::Policy;
use crate::shape::{Read, Shape, is_primitive};
use crate::spans;

/// A generated method.
pub(crate) struct Accessor {
    pub(crate) verb: Verb,
    pub(crate) ident: Ident,
}

/// The operation of a generated method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Get,
    Set,
    Mut,
    Clear,
    Take,
    Push,
    Add,
    Consume,
}

/// The methods of every handle and of common traits. An accessor with one of these
/// names would hide the method.
///
/// This list must not grow, because a new entry would break programs that compile
/// today: later methods are added to `Handle`, where accessors may shadow them.
pub(crate) const RESERVED: &[&str] = &[
    "id",
    "is_new",
    "created_at",
    "last_seen_at",
    "authenticated_at",
    "expires_at",
    "regenerate",
    "reauthenticated",
    "destroy",
    "clear",
    "remember",
    "publish",
    "discard",
    "refresh",
    "save",
    "reload",
    "transaction",
    "try_transaction",
    "get",
    "set",
    "add",
    "take",
    "update",
    "reset",
    "changed",
    "changed_fields",
    "entries",
    "snapshot",
    "replace",
    "handle",
    "into",
    "try_into",
    "from",
    "try_from",
    "clone",
    "clone_into",
    "to_owned",
    "borrow",
    "borrow_mut",
    "as_ref",
    "as_mut",
    "deref",
    "deref_mut",
    "fmt",
    "to_string",
    "type_id",
    "eq",
    "ne",
    "cmp",
    "partial_cmp",
    "hash",
    "drop",
    "default",
];

/// Marks the user's identifier as generated.
pub(crate) fn generated(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(spans::generated(ident.span()));
    ident
}

/// Returns the name of the handle's only field.
pub(crate) fn inner() -> Ident {
    Ident::new("__session_handle", Span::call_site())
}

/// Returns the name of the handle, such as `VisitorSession`.
pub(crate) fn handle(schema: &Ident) -> Ident {
    format_ident!("{}Session", schema.unraw(), span = spans::generated(schema.span()))
}

/// Returns the name of a field's key, such as `USER_ID`.
pub(crate) fn key(field: &str, span: Span) -> Ident {
    Ident::new(&field.to_uppercase(), spans::generated(span))
}

/// Returns the accessors of a field.
pub(crate) fn accessors(field: &Ident, policy: Policy, shape: &Shape<'_>) -> Vec<Accessor> {
    use Verb::{Add, Clear, Consume, Get, Mut, Push, Set, Take};

    // A primitive needs no `x_mut()`: its setter suffices. Other `copy` types may be
    // structs with fields to change, and an `Option` can be cleared.
    let verbs: &[Verb] = match policy {
        Policy::Skip => &[],
        // No `x_mut()`: a mutable reference cannot tell additions from assignments.
        Policy::Counter => &[Get, Set, Add],
        Policy::Flash if matches!(shape.read, Read::Slice(_)) => &[Take, Set, Push],
        Policy::Flash => &[Take, Set],
        Policy::Nonce | Policy::KeyedNonce => &[Consume, Set],
        Policy::WriteOnce => &[Get, Set],
        _ if shape.optional => &[Get, Set, Clear, Take, Mut],
        _ if matches!(shape.read, Read::Copied) && is_primitive(shape.inner) => &[Get, Set],
        _ => &[Get, Set, Mut],
    };
    verbs.iter().map(|&verb| Accessor { verb, ident: accessor(verb, field) }).collect()
}

/// Returns the name of a method, located at the field for go-to-definition.
fn accessor(verb: Verb, field: &Ident) -> Ident {
    let span = spans::generated(field.span());
    let name = field.unraw();
    match verb {
        Verb::Get if name != *field => Ident::new_raw(&name.to_string(), span),
        Verb::Get => format_ident!("{name}", span = span),
        Verb::Set => format_ident!("set_{name}", span = span),
        Verb::Mut => format_ident!("{name}_mut", span = span),
        Verb::Clear => format_ident!("clear_{name}", span = span),
        Verb::Take => format_ident!("take_{name}", span = span),
        Verb::Push => format_ident!("push_{name}", span = span),
        Verb::Add => format_ident!("add_{name}", span = span),
        Verb::Consume => format_ident!("consume_{name}", span = span),
    }
}

/// Formats a type as written: `Option<u64>`. How a compiler prints tokens is not stable.
pub(crate) fn type_name(ty: impl ToTokens) -> String {
    let mut name = String::new();
    print(ty.into_token_stream(), &mut name);
    name
}

fn print(tokens: TokenStream, out: &mut String) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                out.push_str(open);
                print(group.stream(), out);
                out.push_str(close);
            }
            TokenTree::Punct(punct) => {
                out.push(punct.as_char());
                if matches!(punct.as_char(), ',' | ';') {
                    out.push(' ');
                }
            }
            word => {
                if out.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    out.push(' ');
                }
                out.push_str(&word.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_as_one_writes_it() {
        for name in ["Option<u64>", "HashMap<String, [u8; 4]>", "Box<dyn Any>", "(A, B)", "a::B"] {
            let ty: syn::Type = syn::parse_str(name).unwrap();
            assert_eq!(type_name(ty), name);
        }
    }
}
