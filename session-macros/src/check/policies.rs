//! Rules about the purpose of fields.

mod exclusive;

use proc_macro2::Span;

use self::exclusive::EXCLUSIVE;
use crate::ast::{Field, Policy, Schema};
use crate::attr::DefaultValue;
use crate::diagnostics::Diagnostics;
use crate::names::type_name;

/// Options do not contradict each other or `skip`.
pub(super) fn exclusive(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in &schema.fields {
        let given = given(field);
        let span_of = |name: &str| given.iter().find(|(given, _)| *given == name).map(|it| it.1);
        if field.options.skip.is_some() {
            for (name, span) in given.iter().filter(|(name, _)| *name != "skip") {
                let fault = format!(
                    "`skip` leaves the field out of the session, so `{name}` says nothing: \
                     remove one of them"
                );
                diagnostics.at(*span, fault);
            }
            continue;
        }
        for (first, others, why) in EXCLUSIVE {
            for second in *others {
                if let (Some(_), Some(span)) = (span_of(first), span_of(second)) {
                    diagnostics
                        .at(span, format!("`{first}` and `{second}` exclude each other: {why}"));
                }
            }
        }
    }
}

/// Returns the options of a field and their spans.
fn given(field: &Field<'_>) -> Vec<(&'static str, Span)> {
    let options = &field.options;
    let all = [
        ("default", options.default.as_ref().map(|given| given.span)),
        ("rename", options.rename.as_ref().map(syn::LitStr::span)),
        ("alias", options.aliases.first().map(syn::LitStr::span)),
        ("with", options.with.as_ref().map(|given| given.span)),
        ("on_invalid", options.on_invalid.as_ref().map(|given| given.span)),
        ("copy", options.copy),
        ("skip", options.skip),
        ("principal", options.principal),
        ("renew", options.renew),
        ("counter", options.counter),
        ("flash", options.flash),
        ("nonce", options.nonce.as_ref().map(|given| given.span)),
        ("merge", options.merge.as_ref().map(|given| given.span)),
        ("compare", options.compare),
        ("write_once", options.write_once),
        ("ttl", options.ttl.as_ref().map(|given| given.span)),
        ("clear_on_login", options.clear_on_login),
        ("carry_over", options.carry_over),
        ("listed", options.listed),
        ("secret", options.secret),
    ];
    all.into_iter().filter_map(|(name, span)| Some((name, span?))).collect()
}

/// A session belongs to one principal.
pub(super) fn one_principal(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let mut principals = schema.fields.iter().filter(|field| field.options.principal.is_some());
    let Some(first) = principals.next() else {
        return;
    };
    for other in principals {
        let Some(span) = other.options.principal else {
            continue;
        };
        diagnostics.at(
            span,
            format!(
                "a session has one principal, and `{}` is it already: \
                 keep the option on the field that says who is signed in",
                first.name,
            ),
        );
    }
}

/// The principal is an `Option`: a visitor may not be signed in.
pub(super) fn principal_is_optional(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    if let Some(field) = schema.principal().filter(|field| !field.shape.optional) {
        diagnostics.over(
            field.ty,
            format!(
                "a visitor who is not signed in has no principal: write `Option<{}>`",
                type_name(field.ty)
            ),
        );
    }
}

/// The principal has no default: no visitor is signed in by default.
pub(super) fn principal_has_no_default(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    let Some(field) = schema.principal() else {
        return;
    };
    if let Some(default) = &field.options.default
        && !matches!(default.value, DefaultValue::OfType)
    {
        diagnostics
            .at(default.span, "a default principal would sign every visitor in: remove `default`");
    }
}

/// Keyed nonces have a `ttl`: every unfinished flow leaves a value behind.
pub(super) fn keyed_nonces_end(schema: &Schema<'_>, diagnostics: &Diagnostics) {
    for field in schema.fields.iter().filter(|field| field.policy == Policy::KeyedNonce) {
        if let (Some(nonce), None) = (&field.options.nonce, &field.options.ttl) {
            diagnostics.at(
                nonce.span,
                "several at once would pile up: say how long each lives, `ttl = \"10m\"`",
            );
        }
    }
}
