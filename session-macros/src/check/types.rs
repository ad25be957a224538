//! Rules about the types of fields, as far as a macro can see them.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, Type};

use crate::ast::{Policy, Schema};
use crate::attr::DefaultValue;
use crate::diagnostics::Diagnostics;
use crate::names::type_name;
use crate::shape::{self, Read, Shape, is_one_of};

/// A counter is an `i64` or `u64`: stores can add only these.
pub(super) fn counter_is_a_number(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in schema.fields.iter().filter(|field| field.policy == Policy::Counter) {
        if !is_one_of(field.ty, &["i64", "u64"]) {
            diagnostics.over(
                field.ty,
                format!(
                    "a counter is an `i64` or a `u64` (written so, not as an alias), not `{}`",
                    type_name(field.ty)
                ),
            );
        }
    }
}

/// A nonce is an `Option`; a keyed nonce is a map from `String`.
pub(super) fn nonces_come_and_go(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in &schema.fields {
        let ty = type_name(field.ty);
        match field.policy {
            Policy::Nonce if shape::map(field.ty).is_some() => diagnostics.over(
                field.ty,
                format!(
                    "a nonce is one value, which is there or not: write `nonce = keyed` to keep \
                     several under a key each, or `Option<{ty}>` for one that is a map"
                ),
            ),
            Policy::Nonce if !field.shape.optional => diagnostics.over(
                field.ty,
                format!("a nonce is present until it is consumed: write `Option<{ty}>`"),
            ),
            Policy::KeyedNonce if field.map_key.is_none() => {
                let value = match (field.shape.optional, shape::value(field.ty)) {
                    (true, _) => type_name(field.shape.inner),
                    (false, Some(value)) => type_name(value),
                    (false, None) => ty,
                };
                diagnostics.over(
                    field.ty,
                    format!(
                        "a keyed nonce has several values, each under a key of yours, a `String`: \
                         write `HashMap<String, {value}>`"
                    ),
                );
            }
            _ => {}
        }
    }
}

/// `copy` is for `Copy` types; `String` and `Vec` are known not to be.
pub(super) fn copy_is_copy(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in &schema.fields {
        let Some(span) = field.options.copy else {
            continue;
        };
        let read = match Shape::of(field.ty, false).read {
            Read::Text => "`&str`",
            Read::Slice(_) => "a slice",
            Read::Copied | Read::Reference => continue,
        };
        diagnostics.at(
            span,
            format!(
                "`{}` is not `Copy`: remove `copy`, and it is read as {read}",
                type_name(field.shape.inner)
            ),
        );
    }
}

/// On an `Option`, `default = x` means `Some(x)`.
pub(super) fn default_of_an_option(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in schema.fields.iter().filter(|field| field.shape.optional) {
        let Some(DefaultValue::Expr(tokens)) = field.options.default.as_ref().map(|it| &it.value)
        else {
            continue;
        };
        // For `Option<Option<T>>`, both `None` and `Some(…)` are inner values.
        if Shape::of(field.shape.inner, false).optional {
            continue;
        }
        let fault = match syn::parse2::<Expr>(tokens.clone()) {
            Ok(Expr::Path(path)) if path.path.is_ident("None") => {
                "an `Option` is `None` by default: remove `default`"
            }
            Ok(Expr::Call(call)) if is_some(&call.func) => {
                "on an `Option`, the default is the value inside: write it without `Some(…)`"
            }
            _ => continue,
        };
        diagnostics.over(tokens, fault);
    }
}

fn is_some(function: &Expr) -> bool {
    matches!(function, Expr::Path(path) if path.path.is_ident("Some"))
}

/// A session owns its values: fields are not references.
pub(super) fn nothing_is_borrowed(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in schema.stored().filter(|field| field.options.with.is_none()) {
        if let Type::Reference(reference) = field.shape.inner {
            let owned = match &*reference.elem {
                Type::Slice(slice) => format!("Vec<{}>", type_name(&*slice.elem)),
                elem if is_one_of(elem, &["str"]) => "String".to_owned(),
                elem => type_name(elem),
            };
            diagnostics.over(
                reference,
                format!(
                    "a session owns its values, because it outlives the request: write `{owned}`"
                ),
            );
        }
    }
}

/// A field has no interior mutability: a handle detects changes only by setters and
/// mutable borrows.
pub(super) fn changes_are_seen(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in schema.stored() {
        let Some((shared, plain)) = shape::changed_when_shared(field.ty) else {
            continue;
        };
        diagnostics.over(
            shared,
            format!(
                "`{}` is changed through a shared reference, which a session does not see and \
                 does not store: write `{plain}`",
                type_name(shared)
            ),
        );
    }
}

/// A field's type does not mention `Self`: it is repeated where `Self` is the handle.
pub(super) fn self_is_named(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    fn search(tokens: TokenStream, found: &mut Vec<Span>) {
        for tree in tokens {
            match tree {
                TokenTree::Group(group) => search(group.stream(), found),
                TokenTree::Ident(ident) if ident == "Self" => found.push(ident.span()),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    for field in schema.stored() {
        search(field.ty.to_token_stream(), &mut found);
    }
    for span in found {
        diagnostics.at(
            span,
            format!("a session's field cannot say `Self`: write `{}`", schema.input.ident),
        );
    }
}
