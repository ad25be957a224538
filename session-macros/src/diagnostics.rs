//! Collects all errors, to report them together.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The errors found so far.
///
/// Dropping it without [`finish`](Self::finish) is a bug in this crate: an ignored error
/// would let a wrong expansion through.
pub(crate) struct Diagnostics {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { errors: RefCell::new(Some(Vec::new())) }
    }
}

impl Diagnostics {
    /// Reports `message` at one token.
    pub(crate) fn at(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Reports `message` at all of `tokens`.
    pub(crate) fn over(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&self, error: syn::Error) {
        self.errors.borrow_mut().get_or_insert_default().push(error);
    }

    /// Returns all errors combined into one, if there are any.
    pub(crate) fn finish(self) -> syn::Result<()> {
        let mut errors = self.errors.take().unwrap_or_default().into_iter();
        let Some(mut all) = errors.next() else {
            return Ok(());
        };
        all.extend(errors);
        Err(all)
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        if self.errors.get_mut().is_some() && !std::thread::panicking() {
            panic!("bug in session-macros: errors were collected and nobody looked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_reported() {
        let diagnostics = Diagnostics::default();
        diagnostics.at(Span::call_site(), "one");
        diagnostics.over(quote::quote!(a b), "two");
        let errors = diagnostics.finish().unwrap_err();
        let messages: Vec<_> = errors.into_iter().map(|error| error.to_string()).collect();
        assert_eq!(messages, ["one", "two"]);
    }

    #[test]
    #[should_panic(expected = "nobody looked")]
    fn collected_errors_cannot_be_forgotten() {
        drop(Diagnostics::default());
    }
}
