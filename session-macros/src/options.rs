//! The known options, and the errors for unknown ones.

use proc_macro2::Ident;

/// The position of an `#[session(…)]` attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Struct,
    Field,
}

/// An option: its name and an example.
type Known = (&'static str, &'static str);

const STRUCT: &[Known] = &[
    ("version", "version = 2"),
    ("namespace", "namespace = \"admin\""),
    ("migrate", "migrate = path::to::function"),
    ("handle", "handle = VisitorSession"),
    ("crate", "crate = my_framework::session_runtime"),
];

const FIELD: &[Known] = &[
    ("default", "default = 10"),
    ("rename", "rename = \"stored_name\""),
    ("alias", "alias = \"former_name\""),
    ("copy", "copy"),
    ("with", "with = \"path::to::module\""),
    ("skip", "skip"),
    ("principal", "principal"),
    ("renew", "renew"),
    ("counter", "counter"),
    ("flash", "flash"),
    ("nonce", "nonce"),
    ("merge", "merge = path::to::function"),
    ("compare", "compare"),
    ("write_once", "write_once"),
    ("ttl", "ttl = \"10m\""),
    ("clear_on_login", "clear_on_login"),
    ("carry_over", "carry_over"),
    ("listed", "listed"),
    ("secret", "secret"),
    ("on_invalid", "on_invalid = error"),
];

impl Place {
    fn known(self) -> &'static [Known] {
        match self {
            Self::Struct => STRUCT,
            Self::Field => FIELD,
        }
    }

    pub(crate) fn has(self, option: &str) -> bool {
        self.known().iter().any(|(name, _)| *name == option)
    }

    /// Returns an example of `option`.
    pub(crate) fn example(self, option: &str) -> &'static str {
        let known = self.known().iter().find(|(name, _)| *name == option);
        known.map_or("…", |(_, example)| example)
    }

    /// Returns the error message for an option that does not exist here.
    pub(crate) fn unknown(self, option: &Ident) -> String {
        let written = option.to_string();
        match self {
            Self::Field if Self::Struct.has(&written) => {
                return format!(
                    "`{written}` is an option of the struct: \
                     write it above `struct`, not above a field"
                );
            }
            Self::Struct if Self::Field.has(&written) => {
                return format!(
                    "`{written}` is an option of a field: write it above the field it is meant for"
                );
            }
            _ => {}
        }
        let names: Vec<_> = self.known().iter().map(|(name, _)| *name).collect();
        let nearest = match nearest(&written, &names) {
            Some(name) => format!(": did you mean `{name}`?"),
            None => String::new(),
        };
        let place = match self {
            Self::Struct => "a struct",
            Self::Field => "a field",
        };
        format!("unknown option `{written}`{nearest}\n{place} has: {}", names.join(", "))
    }
}

/// Returns the candidate that is most similar to `written`, if any is similar enough.
pub(crate) fn nearest<'a>(written: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let (distance, name) = candidates
        .iter()
        .map(|candidate| (edit_distance(written, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let length = written.chars().count().max(name.chars().count());
    (distance * 3 <= length).then_some(name)
}

/// Returns the Levenshtein distance, counting a transposition as one edit.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_option_that_was_meant() {
        let names: Vec<_> = FIELD.iter().map(|(name, _)| *name).collect();
        for (written, meant) in
            [("prinicpal", "principal"), ("defualt", "default"), ("oninvalid", "on_invalid")]
        {
            assert_eq!(nearest(written, &names), Some(meant));
        }
        assert_eq!(nearest("expires", &names), None);
        assert_eq!(nearest("", &[]), None);
    }
}
