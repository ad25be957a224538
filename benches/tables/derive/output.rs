//! What a derive prints.

use std::ops::Sub;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

use super::measure::{Crate, run};
use super::source::{self, Subject, Use};
use crate::Result;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) tokens: f64,
    pub(crate) lines: f64,
}

impl Sub for Size {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { tokens: self.tokens - other.tokens, lines: self.lines - other.lines }
    }
}

/// Of one struct, after every macro.
pub(crate) fn size(project: &Crate, subject: Subject) -> Result<Size> {
    project.write(&source::of(subject, Use::Declared, 1))?;
    let mut cargo = project.cargo("rustc");
    cargo.args(["--profile", "check", "--", "-Zunpretty=expanded"]);
    // The option is for those who look into the compiler.
    let expanded = run(cargo.env("RUSTC_BOOTSTRAP", "1"))?;
    let stream = TokenStream::from_str(&expanded).map_err(|error| error.to_string())?;
    Ok(Size { tokens: count(stream) as f64, lines: expanded.lines().count() as f64 })
}

/// A pair of delimiters counts two.
fn count(tokens: TokenStream) -> usize {
    tokens
        .into_iter()
        .map(|tree| match tree {
            TokenTree::Group(group) => 2 + count(group.stream()),
            _ => 1,
        })
        .sum()
}
