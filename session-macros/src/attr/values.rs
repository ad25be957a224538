//! The parsers of the options' values.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, Path, Result, Token, parenthesized};

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

/// Parses `= value`.
pub(super) fn value<T: Parse>(name: &Ident, place: Place, input: ParseStream<'_>) -> Result<T> {
    if at_end(input) {
        return Err(malformed(name, place, &Error::new(name.span(), "")));
    }
    let value = input.parse::<Token![=]>().and_then(|_| input.parse());
    value.map_err(|error| malformed(name, place, &error))
}

/// Parses `= path` or `= "path"`.
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
    if input.peek(Token![=]) && input.peek2(Token![|]) {
        return Err(closure(name, place, input)?);
    }
    value::<ModPath>(name, place, input).map(|path| path.0)
}

/// Parses a path that may have generic arguments: `= recent::<20, _>`.
pub(super) fn function(name: &Ident, place: Place, input: ParseStream<'_>) -> Result<Path> {
    struct Function(Path);
    impl Parse for Function {
        fn parse(input: ParseStream<'_>) -> Result<Self> {
            if input.peek(LitStr) {
                return input.parse::<LitStr>()?.parse().map(Self);
            }
            input.parse().map(Self)
        }
    }
    if input.peek(Token![=]) && input.peek2(Token![|]) {
        return Err(closure(name, place, input)?);
    }
    value::<Function>(name, place, input).map(|function| function.0)
}

/// Returns the error for `= |…| …`. Skips the closure's parameters, because the commas
/// between them do not separate options.
fn closure(name: &Ident, place: Place, input: ParseStream<'_>) -> Result<Error> {
    input.parse::<Token![=]>()?;
    let bar: Token![|] = input.parse()?;
    while !input.is_empty() && !input.peek(Token![|]) {
        input.parse::<TokenTree>()?;
    }
    let example = place.example(&name.to_string());
    let fault = format!("a closure has no path: write a function and name it, `{example}`");
    Ok(Error::new(bar.span, fault))
}

/// Parses `= "a"` or `("a", "b")`.
pub(super) fn aliases(name: &Ident, input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    if !input.peek(syn::token::Paren) {
        return value(name, Place::Field, input).map(|alias| vec![alias]);
    }
    let list;
    parenthesized!(list in input);
    let aliases = Punctuated::<LitStr, Token![,]>::parse_terminated(&list).map_err(|error| {
        // Skipped, so that the rest of the parentheses causes no second error.
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

/// Parses nothing, or `= keyed`.
pub(super) fn nonce(input: ParseStream<'_>) -> Result<bool> {
    if at_end(input) {
        return Ok(false);
    }
    let malformed = |error: Error| {
        Error::new(
            error.span(),
            "`nonce` is written `#[session(nonce)]`, or `#[session(nonce = keyed)]` where \
             several are waited for at once",
        )
    };
    if !input.peek(Token![=]) && !input.peek(syn::token::Paren) {
        return Err(input.error(COMMA));
    }
    let word: Ident =
        input.parse::<Token![=]>().and_then(|_| input.call(Ident::parse_any)).map_err(malformed)?;
    if word == "keyed" { Ok(true) } else { Err(malformed(Error::new(word.span(), ""))) }
}

/// Parses `= 2`.
pub(super) fn version(name: &Ident, input: ParseStream<'_>) -> Result<u32> {
    let number: LitInt = value(name, Place::Struct, input)?;
    let version = number.base10_parse().ok().filter(|version| *version > 0);
    version.ok_or_else(|| {
        Error::new(
            number.span(),
            format!("a version is a whole number from 1 to {}: write `version = 2`", u32::MAX),
        )
    })
}

/// The longest `ttl`: no session lives longer.
const LONGEST_TTL: u64 = 400 * 24 * 60 * 60 * 1000;

/// Parses `= "10m"` into milliseconds.
pub(super) fn ttl(name: &Ident, input: ParseStream<'_>) -> Result<u64> {
    let text: LitStr = value(name, Place::Field, input)?;
    let written = text.value();
    let fault = match millis(&written) {
        Some(0) => "ends at once: write a time above 0, such as `ttl = \"10m\"`",
        Some(millis) if millis <= LONGEST_TTL => return Ok(millis),
        Some(_) => "is too long: no session lives longer than 400 days, `ttl = \"400d\"`",
        None => {
            "is not a time: write a whole number and one unit of `ms`, `s`, `m`, `h`, `d`, \
             such as `ttl = \"10m\"`"
        }
    };
    Err(Error::new(text.span(), format!("{written:?} {fault}")))
}

fn millis(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    // A number beyond `u64` is a valid duration, but too long.
    Some(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit))
}

/// Parses nothing, or `= expr`.
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
            Ok(match ungrouped(expr) {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => DefaultValue::Text(text),
                expr => DefaultValue::Expr(expr.into_token_stream()),
            })
        }
        _ if at_end(input) => Err(malformed(name.span())),
        _ => skip_option(input).map(DefaultValue::Expr),
    }
}

/// Unwraps the invisible group of an expression that a `macro_rules!` passed as `$x:expr`.
fn ungrouped(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungrouped(*group.expr),
        expr => expr,
    }
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn a_time_is_a_whole_number_and_one_unit() {
        for (text, expected) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("10m", 600_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("007s", 7_000),
            ("0s", 0),
            ("99999999999999999999999ms", u64::MAX),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for text in ["", "10", "m", "1h30m", "1.5h", "-1s", "+1s", "10 m", "10M", "1w", "\u{661}s"]
        {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
