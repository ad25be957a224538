//! What stands behind an option's name.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Result, Token, parenthesized};

use super::{DefaultValue, OnInvalid};
use crate::options::Place;

pub(super) const COMMA: &str = "expected a comma between two options";

pub(super) fn at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

pub(super) fn skip_option(input: ParseStream<'_>) -> Result<TokenStream> {
    let mut skipped = TokenStream::new();
    while !at_end(input) {
        input.parse::<TokenTree>()?.to_tokens(&mut skipped);
    }
    Ok(skipped)
}

pub(super) fn flag(name: &Ident, input: ParseStream<'_>) -> Result<Span> {
    if at_end(input) {
        return Ok(name.span());
    }
    if input.peek(Token![=]) || input.peek(syn::token::Paren) {
        return Err(input.error(format!("`{name}` takes no value: write `#[session({name})]`")));
    }
    Err(input.error(COMMA))
}

fn malformed(name: &Ident, place: Place, error: &Error) -> Error {
    let name = name.to_string();
    Error::new(error.span(), format!("`{name}` is written `#[session({})]`", place.example(&name)))
}

/// `= value`
pub(super) fn value<T: Parse>(name: &Ident, place: Place, input: ParseStream<'_>) -> Result<T> {
    if at_end(input) {
        return Err(malformed(name, place, &Error::new(name.span(), "")));
    }
    let value = input.parse::<Token![=]>().and_then(|_| input.parse());
    value.map_err(|error| malformed(name, place, &error))
}

/// `= path` or `= "path"`
pub(super) fn path(name: &Ident, place: Place, input: ParseStream<'_>) -> Result<Path> {
    struct ModPath(Path);
    impl Parse for ModPath {
        fn parse(input: ParseStream<'_>) -> Result<Self> {
            if input.peek(LitStr) {
                return input.parse::<LitStr>()?.parse_with(Path::parse_mod_style).map(Self);
            }
            Path::parse_mod_style(input).map(Self)
        }
    }
    value::<ModPath>(name, place, input).map(|path| path.0)
}

/// `= "a"` or `("a", "b")`
pub(super) fn aliases(name: &Ident, input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    if !input.peek(syn::token::Paren) {
        return value(name, Place::Field, input).map(|alias| vec![alias]);
    }
    let list;
    parenthesized!(list in input);
    let aliases = Punctuated::<LitStr, Token![,]>::parse_terminated(&list).map_err(|error| {
        // What is left in the parentheses is no second error.
        while list.parse::<TokenTree>().is_ok() {}
        malformed(name, Place::Field, &error)
    })?;
    Ok(aliases.into_iter().collect())
}

pub(super) fn on_invalid(name: &Ident, input: ParseStream<'_>) -> Result<OnInvalid> {
    let word: Ident = value(name, Place::Field, input)?;
    match word.to_string().as_str() {
        "default" => Ok(OnInvalid::Default),
        "error" => Ok(OnInvalid::Error),
        "drop_session" => Ok(OnInvalid::DropSession),
        other => Err(Error::new(
            word.span(),
            format!("`on_invalid` is `default`, `error` or `drop_session`, not `{other}`"),
        )),
    }
}

/// Nothing, or `= expr`
pub(super) fn default(name: &Ident, input: ParseStream<'_>) -> Result<DefaultValue> {
    if at_end(input) {
        return Ok(DefaultValue::OfType);
    }
    let malformed = |span| {
        Error::new(span, "`default` is written `#[session(default)]` or `#[session(default = 10)]`")
    };
    input.parse::<Token![=]>().map_err(|error| malformed(error.span()))?;
    let ahead = input.fork();
    match ahead.parse::<Expr>() {
        Ok(expr) if at_end(&ahead) => {
            input.advance_to(&ahead);
            Ok(match expr {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => DefaultValue::Text(text),
                expr => DefaultValue::Expr(expr.into_token_stream()),
            })
        }
        _ if at_end(input) => Err(malformed(name.span())),
        _ => skip_option(input).map(DefaultValue::Expr),
    }
}
