//! The parser of `#[session(…)]`, whose options keep their spans.

mod values;

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Error, LitStr, Meta, Path, Result, Token};

use values::{
    COMMA, aliases, at_end, default, flag, function, nonce, on_invalid, path, skip_option, ttl,
    value, version,
};

use crate::diagnostics::Diagnostics;
use crate::options::Place;

/// An option's value, and the span of the option's name.
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// The options of a struct.
#[derive(Default)]
pub(crate) struct SchemaOptions {
    pub(crate) version: Option<u32>,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) migrate: Option<Given<Path>>,
    pub(crate) handle: Option<Ident>,
    pub(crate) runtime: Option<Path>,
}

/// The options of a field. A flag is the span of its name.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) default: Option<Given<DefaultValue>>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) with: Option<Given<Path>>,
    pub(crate) on_invalid: Option<Given<OnInvalid>>,
    pub(crate) copy: Option<Span>,
    pub(crate) skip: Option<Span>,
    pub(crate) principal: Option<Span>,
    pub(crate) renew: Option<Span>,
    pub(crate) counter: Option<Span>,
    pub(crate) flash: Option<Span>,
    /// Whether the nonce is keyed: several values at once, each under a key.
    pub(crate) nonce: Option<Given<bool>>,
    pub(crate) merge: Option<Given<Path>>,
    pub(crate) compare: Option<Span>,
    pub(crate) write_once: Option<Span>,
    /// In milliseconds.
    pub(crate) ttl: Option<Given<u64>>,
    pub(crate) clear_on_login: Option<Span>,
    pub(crate) carry_over: Option<Span>,
    pub(crate) listed: Option<Span>,
    pub(crate) secret: Option<Span>,
}

/// The value of `default`.
pub(crate) enum DefaultValue {
    /// `default`: the type's `Default`.
    OfType,
    /// `default = "…"`: converted to the field's type.
    Text(LitStr),
    /// `default = expr`, which syn may be able to parse only with its feature `full`.
    Expr(TokenStream),
}

/// The value of `on_invalid`.
#[derive(Clone, Copy)]
pub(crate) enum OnInvalid {
    Default,
    Error,
    DropSession,
}

impl SchemaOptions {
    pub(crate) fn read(attrs: &[Attribute], diagnostics: &Diagnostics) -> Self {
        let mut options = Self::default();
        each_option(attrs, Place::Struct, diagnostics, |name, input| {
            let span = name.span();
            match name.to_string().as_str() {
                "version" => options.version = Some(version(name, input)?),
                "namespace" => options.namespace = Some(value(name, Place::Struct, input)?),
                "migrate" => {
                    let path = path(name, Place::Struct, input)?;
                    options.migrate = Some(Given { value: path, span });
                }
                "handle" => options.handle = Some(value(name, Place::Struct, input)?),
                _ => options.runtime = Some(path(name, Place::Struct, input)?),
            }
            Ok(())
        });
        options
    }
}

impl FieldOptions {
    pub(crate) fn read(attrs: &[Attribute], diagnostics: &Diagnostics) -> Self {
        let mut options = Self::default();
        each_option(attrs, Place::Field, diagnostics, |name, input| {
            let span = name.span();
            match name.to_string().as_str() {
                "default" => options.default = Some(Given { value: default(name, input)?, span }),
                "rename" => options.rename = Some(value(name, Place::Field, input)?),
                "alias" => options.aliases.extend(aliases(name, input)?),
                "with" => {
                    options.with = Some(Given { value: path(name, Place::Field, input)?, span });
                }
                "on_invalid" => {
                    options.on_invalid = Some(Given { value: on_invalid(name, input)?, span });
                }
                "copy" => options.copy = Some(flag(name, input)?),
                "skip" => options.skip = Some(flag(name, input)?),
                "principal" => options.principal = Some(flag(name, input)?),
                "renew" => options.renew = Some(flag(name, input)?),
                "counter" => options.counter = Some(flag(name, input)?),
                "flash" => options.flash = Some(flag(name, input)?),
                "nonce" => options.nonce = Some(Given { value: nonce(input)?, span }),
                "merge" => {
                    let function = function(name, Place::Field, input)?;
                    options.merge = Some(Given { value: function, span });
                }
                "compare" => options.compare = Some(flag(name, input)?),
                "write_once" => options.write_once = Some(flag(name, input)?),
                "ttl" => options.ttl = Some(Given { value: ttl(name, input)?, span }),
                "clear_on_login" => options.clear_on_login = Some(flag(name, input)?),
                "carry_over" => options.carry_over = Some(flag(name, input)?),
                "listed" => options.listed = Some(flag(name, input)?),
                _ => options.secret = Some(flag(name, input)?),
            }
            Ok(())
        });
        options
    }
}

/// Calls `read` after the name of each known option, once per name (`alias` may be
/// repeated). Malformed options are reported and skipped.
fn each_option(
    attrs: &[Attribute],
    place: Place,
    diagnostics: &Diagnostics,
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) {
    let mut seen = Vec::new();
    let mut option = |input: ParseStream<'_>| {
        let name = input.call(Ident::parse_any).map_err(|error| {
            Error::new(error.span(), "expected the name of an option, such as `default`")
        })?;
        let text = name.to_string();
        if !place.has(&text) {
            return Err(Error::new(name.span(), place.unknown(&name)));
        }
        if seen.contains(&text) && text != "alias" {
            return Err(Error::new(
                name.span(),
                format!("`{text}` is given twice: remove one of them"),
            ));
        }
        seen.push(text);
        read(&name, input)?;
        if !at_end(input) {
            return Err(input.error(COMMA));
        }
        Ok(())
    };
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("session")) {
        let Meta::List(list) = &attr.meta else {
            diagnostics.over(attr, "options stand in parentheses: write `#[session(…)]`");
            continue;
        };
        let read = list.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = option(input) {
                    diagnostics.push(error);
                    skip_option(input)?;
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        });
        if let Err(error) = read {
            diagnostics.push(error);
        }
    }
}
