//! The methods of the generated handle, each a single call.

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::ast::{Field, Policy, Schema};
use crate::names::{self, Accessor, Verb};
use crate::shape::{Read, Shape};
use crate::{paths, spans};

pub(crate) fn accessors(schema: &Schema<'_>) -> Option<TokenStream> {
    let handle = &schema.handle;
    let methods: Vec<_> = schema
        .fields
        .iter()
        .flat_map(|field| field.accessors.iter().map(move |accessor| (field, accessor)))
        .map(|(field, accessor)| {
            method(schema, field, accessor, &body(schema, field, accessor.verb))
        })
        .collect();
    (!methods.is_empty()).then(|| quote!(impl #handle { #(#methods)* }))
}

/// Expands a method with the given body.
pub(crate) fn method(
    schema: &Schema<'_>,
    field: &Field<'_>,
    accessor: &Accessor,
    body: &TokenStream,
) -> TokenStream {
    let vis = &schema.vis;
    let Field { docs, deprecated, .. } = field;
    let name = &accessor.ident;
    // Indented as by `///`. The blank line puts the field's own docs into a separate
    // paragraph.
    let mut doc = format!(" {}", first_line(field, accessor.verb));
    if !docs.is_empty() {
        doc.push('\n');
    }
    let must_use = (accessor.verb == Verb::Get).then(|| quote!(#[must_use]));
    let asynchronous = (accessor.verb == Verb::Consume).then(|| quote!(async));
    let signature = signature(field, accessor.verb);
    // The field's own docs keep their location, so that rustdoc's warnings point at them.
    let doc = spans::at(field.ident.span(), quote!(#[doc = #doc]));
    let errors = (accessor.verb == Verb::Consume)
        .then(|| spans::at(field.ident.span(), quote!(#[doc = #ERRORS])));
    let head = spans::at(
        field.ident.span(),
        quote!(#errors #deprecated #must_use #vis #asynchronous fn #name #signature),
    );
    let body = spans::at(body_span(field, accessor.verb), quote!({ #body }));
    quote!(#doc #docs #head #body)
}

/// Appended after the field's own docs, as a separate section.
const ERRORS: &str = "
 # Errors

 If the session ended, or its user signed in or out, meanwhile; if the store cannot answer; if its
 answer was lost, and the value may be gone with it.";

/// Returns the span at which errors in the body are reported.
fn body_span(field: &Field<'_>, verb: Verb) -> Span {
    match field.options.copy {
        // If the type is not `Copy`, the option `copy` is at fault.
        Some(copy) if verb == Verb::Get => copy,
        _ => field.ident.span(),
    }
}

fn first_line(field: &Field<'_>, verb: Verb) -> String {
    let name = &field.name;
    match (verb, field.policy) {
        (Verb::Get, _) => format!("Returns `{name}`."),
        (Verb::Set, Policy::Flash) => format!("Sets `{name}`, to be taken once."),
        (Verb::Set, Policy::Nonce) => format!("Sets `{name}`, to be consumed once."),
        (Verb::Set, Policy::KeyedNonce) => {
            format!(
                "Sets `{name}` under `key`, beside those under other keys; each is consumed once."
            )
        }
        (Verb::Set, Policy::WriteOnce) => {
            format!("Sets `{name}`, once: when another value is stored already, that one stays.")
        }
        (Verb::Set, Policy::Principal) => {
            format!("Sets `{name}`: signs in, which renews the session's token.")
        }
        (Verb::Set, _) => format!("Sets `{name}`."),
        (Verb::Mut, _) => {
            format!("Returns `{name}` to be changed in place; it is stored if its value differs.")
        }
        (Verb::Clear, Policy::Principal) => format!("Sets `{name}` to `None`: signs out."),
        (Verb::Clear, _) => format!("Sets `{name}` to `None`."),
        (Verb::Take, Policy::Flash) => {
            format!("Returns `{name}`, once: it is removed when the request commits.")
        }
        (Verb::Take, _) => format!("Sets `{name}` to `None` and returns what it was."),
        (Verb::Push, _) => {
            format!("Appends a value to `{name}`; all values are taken together, once.")
        }
        (Verb::Add, _) => {
            format!("Adds to `{name}`; merges with what other requests add meanwhile.")
        }
        (Verb::Consume, Policy::KeyedNonce) => format!(
            "Takes the `{name}` of `key` out of the store, now: \
             at most one of all concurrent requests gets it."
        ),
        (Verb::Consume, _) => format!(
            "Takes `{name}` out of the store, now: \
             at most one of all concurrent requests gets it."
        ),
    }
}

fn signature(field: &Field<'_>, verb: Verb) -> TokenStream {
    let ty = &field.repeated_ty;
    match verb {
        Verb::Get => {
            let read = read_type(field);
            quote!((&self) -> #read)
        }
        Verb::Set => {
            let inner = spans::repeat(field.shape.inner);
            let value = match field.shape.read {
                Read::Text => {
                    let into = paths::into();
                    quote!(impl #into<#inner>)
                }
                _ => inner,
            };
            match (field.policy, field.map_key) {
                (Policy::KeyedNonce, Some(key)) => {
                    let (into, key) = (paths::into(), spans::repeat(key));
                    quote!((&mut self, key: impl #into<#key>, value: #value))
                }
                // A type that was rejected; this is for the fallback.
                (Policy::KeyedNonce, None) => quote!((&mut self, key: &str, value: #value)),
                _ => quote!((&mut self, value: #value)),
            }
        }
        Verb::Push => {
            let Read::Slice(item) = field.shape.read else { return quote!((&mut self)) };
            let repeated = spans::repeat(item);
            match Shape::whole(item).read {
                Read::Text => {
                    let into = paths::into();
                    quote!((&mut self, value: impl #into<#repeated>))
                }
                _ => quote!((&mut self, value: #repeated)),
            }
        }
        Verb::Mut => quote!((&mut self) -> &mut #ty),
        Verb::Clear => quote!((&mut self)),
        Verb::Take => quote!((&mut self) -> #ty),
        Verb::Add => quote!((&mut self, delta: i64)),
        Verb::Consume => {
            let consumed = paths::consumed(&spans::repeat(field.shape.inner));
            let key = (field.policy == Policy::KeyedNonce).then(|| quote!(, key: &str));
            quote!((&mut self #key) -> #consumed)
        }
    }
}

fn read_type(field: &Field<'_>) -> TokenStream {
    let inner = spans::repeat(field.shape.inner);
    let read = match field.shape.read {
        Read::Copied => inner,
        Read::Text => quote!(&str),
        Read::Slice(item) => {
            let item = spans::repeat(item);
            quote!(&[#item])
        }
        Read::Reference => quote!(&#inner),
    };
    if field.shape.optional { paths::option(&read) } else { read }
}

fn body(schema: &Schema<'_>, field: &Field<'_>, verb: Verb) -> TokenStream {
    let (ident, key) = (&schema.ident, &field.key);
    let key = quote!(#ident::#key);
    let inner = names::inner();
    let handle = quote!(self.#inner);
    match verb {
        Verb::Get => match (&field.shape.read, field.shape.optional) {
            (Read::Copied, _) if field.options.copy.is_some() => {
                quote!(__session::copied(#handle.get(#key)))
            }
            (Read::Copied, _) => quote!(*#handle.get(#key)),
            (Read::Text, false) => quote!(#handle.get(#key).as_str()),
            (Read::Slice(_), false) => quote!(#handle.get(#key).as_slice()),
            (Read::Reference, false) => quote!(#handle.get(#key)),
            (Read::Reference, true) => quote!(#handle.get(#key).as_ref()),
            (_, true) => quote!(#handle.get(#key).as_deref()),
        },
        Verb::Set => {
            let value = match field.shape.read {
                Read::Text => {
                    let into = paths::into();
                    quote!(#into::into(value))
                }
                _ => quote!(value),
            };
            match field.policy {
                Policy::KeyedNonce => quote!(#handle.set_keyed(#key, key, #value);),
                Policy::Nonce => quote!(#handle.set(#key, #value);),
                _ if field.shape.optional => {
                    quote!(#handle.set(#key, ::core::option::Option::Some(#value));)
                }
                _ => quote!(#handle.set(#key, #value);),
            }
        }
        Verb::Mut => quote!(#handle.__value_mut(#key)),
        Verb::Clear if field.is_absent_when_none() => quote!(#handle.reset(#key);),
        Verb::Clear => quote!(#handle.set(#key, ::core::option::Option::None);),
        Verb::Take if field.policy == Policy::Flash => quote!(#handle.take(#key)),
        Verb::Take => quote!(::core::mem::take(#handle.__value_mut(#key))),
        Verb::Push => match &field.shape.read {
            Read::Slice(item) if matches!(Shape::whole(item).read, Read::Text) => {
                let into = paths::into();
                quote!(#handle.push(#key, #into::into(value));)
            }
            _ => quote!(#handle.push(#key, value);),
        },
        Verb::Add => quote!(#handle.add(#key, delta);),
        Verb::Consume if field.policy == Policy::KeyedNonce => {
            quote!(#handle.consume_keyed(#key, key).await)
        }
        Verb::Consume => quote!(#handle.consume(#key).await),
    }
}
