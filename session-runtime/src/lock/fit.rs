//! Whether values of one type decode as another, judging by the types' names.

use super::names::Type;

/// What happens to values of one type that are decoded as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The same type, as written.
    Same,
    /// Every value decodes unchanged.
    All,
    /// Values decode, with this difference.
    Changed(&'static str),
    /// The names do not tell.
    Unknown,
    /// These values do not decode.
    Some(&'static str),
    /// No value decodes.
    None,
}

/// Returns what happens to values of `old` that are decoded as `new`.
pub(super) fn fit(old: &Type, new: &Type) -> Fit {
    if old == new {
        return Fit::Same;
    }
    let (old_head, new_head) = (old.head.as_str(), new.head.as_str());
    match (old_head, new_head) {
        (_, "serde_json::Value") => return Fit::All,
        ("Option", "Option") => return inside(old, new),
        ("Option", _) if old.args.len() == 1 => {
            return fit(&old.args[0], new).max(Fit::Some("`null`, which stood for `None`"));
        }
        (_, "Option") if new.args.len() == 1 => return fit(old, &new.args[0]).max(Fit::All),
        ("Vec", "Vec") | ("Set", "Set") | ("Map", "Map") => return inside(old, new),
        ("Set", "Vec") => return inside(old, new),
        ("Vec", "Set") => {
            return inside(old, new).max(Fit::Changed("duplicate items are stored once"));
        }
        ("()", "()") if old.args.len() == new.args.len() => return inside(old, new),
        (array, "Vec") if array.starts_with("[;") => return inside(old, new),
        ("Vec", array) if array.starts_with("[;") => {
            return inside(old, new).max(Fit::Some("lists of another length"));
        }
        ("char", "String") => return Fit::All,
        ("String", "char") => return Fit::Some("texts that are not one character"),
        _ => {}
    }
    if let (Some(old), Some(new)) = (Number::of(old_head), Number::of(new_head)) {
        return old.read_as(&new);
    }
    match (stored_as(old), stored_as(new)) {
        (Some(old), Some(new)) if old != new => Fit::None,
        _ => Fit::Unknown,
    }
}

fn inside(old: &Type, new: &Type) -> Fit {
    let pairs = old.args.iter().zip(&new.args);
    pairs.map(|(old, new)| fit(old, new)).max().unwrap_or(Fit::Unknown).max(Fit::All)
}

/// Returns the kind of JSON of a well-known type.
fn stored_as(ty: &Type) -> Option<&'static str> {
    Some(match ty.head.as_str() {
        "String" | "char" => "text",
        "bool" => "bool",
        "Vec" | "Set" => "list",
        "Map" => "map",
        "()" if ty.args.is_empty() => "null",
        "()" => "list",
        array if array.starts_with("[;") => "list",
        number => return Number::of(number).map(|_| "number"),
    })
}

/// A number type.
struct Number {
    /// For integers, their size in bits; for floats, the size of the signed integers that they
    /// represent exactly.
    bits: u32,
    signed: bool,
    float: bool,
}

impl Number {
    fn of(name: &str) -> Option<Self> {
        let (kind, bits) = name.split_at_checked(1)?;
        let bits: u32 = bits.parse().ok()?;
        let signed = match kind {
            "u" => false,
            "i" => true,
            // The integers that the mantissa represents exactly.
            "f" if bits == 32 => return Some(Self { bits: 25, signed: true, float: true }),
            "f" if bits == 64 => return Some(Self { bits: 54, signed: true, float: true }),
            _ => return None,
        };
        [8, 16, 32, 64, 128].contains(&bits).then_some(Self { bits, signed, float: false })
    }

    fn read_as(&self, new: &Self) -> Fit {
        match (self.float, new.float) {
            // `1.0` does not decode as an integer.
            (true, false) => Fit::None,
            (true, true) if self.bits > new.bits => Fit::Changed("digits are rounded away"),
            (true, true) => Fit::All,
            (false, _) => {
                let sign = u32::from(!self.signed && new.signed);
                let fits = self.bits + sign <= new.bits && (new.signed || !self.signed);
                match (fits, new.float) {
                    (true, _) => Fit::All,
                    (false, true) => Fit::Changed("large numbers are rounded"),
                    (false, false) if self.signed && !new.signed => {
                        Fit::Some("negative numbers, and those that are too large, if any")
                    }
                    (false, false) => Fit::Some("numbers that are too large"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(old: &str, new: &str) -> Fit {
        fit(&Type::parse(old), &Type::parse(new))
    }

    #[test]
    fn a_wider_type_reads_everything() {
        for (old, new) in [
            ("u32", "u64"),
            ("u32", "i64"),
            ("u16", "f32"),
            ("i32", "f64"),
            ("f32", "f64"),
            ("String", "Option<String>"),
            ("u8", "Option<u16>"),
            ("Option<u8>", "Option<u16>"),
            ("Vec<u8>", "Vec<u64>"),
            ("HashMap<String, u8>", "BTreeMap<String, u16>"),
            ("BTreeSet<u8>", "Vec<u8>"),
            ("[u8; 4]", "Vec<u8>"),
            ("(u8, bool)", "(u16, bool)"),
            ("char", "String"),
            ("Item", "serde_json::Value"),
        ] {
            assert_eq!(of(old, new), Fit::All, "{old} as {new}");
        }
    }

    #[test]
    fn a_narrower_type_reads_some() {
        for (old, new) in [
            ("u64", "u32"),
            ("u32", "i32"),
            ("i32", "u64"),
            ("i64", "u8"),
            ("Option<u8>", "u8"),
            ("Vec<u8>", "[u8; 4]"),
            ("Vec<u16>", "Vec<u8>"),
            ("String", "char"),
        ] {
            assert!(matches!(of(old, new), Fit::Some(_)), "{old} as {new}");
        }
        for (old, new) in [("f64", "f32"), ("u64", "f64"), ("Vec<u8>", "HashSet<u8>")] {
            assert!(matches!(of(old, new), Fit::Changed(_)), "{old} as {new}");
        }
    }

    #[test]
    fn another_type_reads_nothing_and_what_is_not_known_is_not_guessed() {
        for (old, new) in [
            ("String", "u32"),
            ("u32", "String"),
            ("f64", "u64"),
            ("bool", "u8"),
            ("Vec<u8>", "String"),
            ("Vec<u8>", "Vec<String>"),
            ("HashMap<String, u8>", "Vec<u8>"),
        ] {
            assert_eq!(of(old, new), Fit::None, "{old} as {new}");
        }
        for (old, new) in [("Item", "Article"), ("Item", "u8"), ("Vec<Item>", "Vec<Article>")] {
            assert_eq!(of(old, new), Fit::Unknown, "{old} as {new}");
        }
    }
}
