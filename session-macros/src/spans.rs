//! Where generated tokens point, and whose they are.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// A span at the place of `span` that counts as generated: editors go there,
/// lints treat it as the output of a derive.
pub(crate) fn generated(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The user's tokens as generated ones.
///
/// A field's type is repeated several times in the output. Lints (`deprecated`,
/// `unused_qualifications`, …) that the user allowed on the struct would come
/// back at every repetition.
pub(crate) fn repeat(tokens: impl ToTokens) -> TokenStream {
    map(tokens.into_token_stream(), &generated)
}

/// Tokens of which all point at `span`, and count as generated.
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
            // `$crate` means another crate under another span.
            TokenTree::Ident(ident) if ident == "$crate" => {}
            other => other.set_span(to(other.span())),
        }
        tree
    });
    mapped.collect()
}

/// The first and the last token's span of `tokens`, as generated ones. An
/// expression that starts at one and ends at the other underlines them all.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|tree| tree.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    let last = spans.last().unwrap_or(first);
    (generated(first), generated(last))
}
