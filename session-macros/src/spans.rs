//! The spans of generated tokens: their location and hygiene.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Returns a span at the location of `span` that counts as generated: editors navigate
/// there, and lints treat the token as the output of a derive.
pub(crate) fn generated(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Marks the user's tokens as generated.
///
/// A field's type is repeated several times in the output. Otherwise lints
/// (`deprecated`, `unused_qualifications`, …) that the user allowed on the struct would
/// fire at every repetition.
pub(crate) fn repeat(tokens: impl ToTokens) -> TokenStream {
    map(tokens.into_token_stream(), &generated)
}

/// Moves all tokens to `span` and marks them as generated.
pub(crate) fn at(span: Span, tokens: TokenStream) -> TokenStream {
    map(tokens, &|_| generated(span))
}

fn map(tokens: TokenStream, to: &dyn Fn(Span) -> Span) -> TokenStream {
    let mapped = tokens.into_iter().map(|mut tree| {
        match &mut tree {
            TokenTree::Group(group) => {
                let mut copy = Group::new(group.delimiter(), map(group.stream(), to));
                copy.set_span(to(group.span()));
                return copy.into();
            }
            // With another span, `$crate` would refer to another crate.
            TokenTree::Ident(ident) if ident == "$crate" => {}
            other => other.set_span(to(other.span())),
        }
        tree
    });
    mapped.collect()
}

/// Returns the spans of the first and last token, marked as generated. Errors in an
/// expression that starts and ends with these spans underline all tokens.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|tree| tree.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    let last = spans.last().unwrap_or(first);
    (generated(first), generated(last))
}
