//! Types as they are written, such as `Option<Vec<u8>>`.

/// A type: its head without the path, and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Type {
    pub(super) head: String,
    pub(super) args: Vec<Type>,
}

/// Types that serde stores as their contents.
const TRANSPARENT: [&str; 4] = ["Box", "Arc", "Cow", "Wrapping"];

impl Type {
    /// Parses a type. Unknown syntax becomes a head without arguments, equal only to itself.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let leaf = |head: &str| Self { head: head.to_owned(), args: Vec::new() };
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return match split(inner, ';')[..] {
                [elem, length] => {
                    let head = format!("[; {}]", length.trim());
                    Self { head, args: vec![Self::parse(elem)] }
                }
                _ => Self { head: "Vec".to_owned(), args: vec![Self::parse(inner)] },
            };
        }
        if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            let elems = split(inner, ',').into_iter().filter(|elem| !elem.trim().is_empty());
            return Self { head: "()".to_owned(), args: elems.map(Self::parse).collect() };
        }
        let Some((head, inner)) = text.strip_suffix('>').and_then(|rest| rest.split_once('<'))
        else {
            return leaf(without_path(text));
        };
        let args = split(inner, ',').into_iter().filter(|arg| !arg.trim().starts_with('\''));
        let mut args: Vec<Self> = args.map(Self::parse).collect();
        let head = match without_path(head.trim_end_matches(':')) {
            head if TRANSPARENT.contains(&head) && args.len() == 1 => return args.remove(0),
            "VecDeque" | "LinkedList" | "BinaryHeap" => "Vec",
            "HashSet" | "BTreeSet" | "IndexSet" => "Set",
            "HashMap" | "BTreeMap" | "IndexMap" => "Map",
            head => head,
        };
        // The other arguments are hashers.
        match head {
            "Set" => args.truncate(1),
            "Map" => args.truncate(2),
            _ => {}
        }
        Self { head: head.to_owned(), args }
    }
}

/// Strips the path, because the same type may be written with its path or imported. `Value` keeps
/// it, since several crates have one.
fn without_path(path: &str) -> &str {
    if path.ends_with("serde_json::Value") {
        return "serde_json::Value";
    }
    match path.rsplit("::").next().unwrap_or(path).trim() {
        "str" => "String",
        "usize" => "u64",
        "isize" => "i64",
        name => name,
    }
}

/// Splits at separators outside brackets.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, char) in text.char_indices() {
        match char {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            _ if char == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_are_stored_alike_are_read_alike() {
        for (a, b) in [
            ("Option<u64>", "std::option::Option<u64>"),
            ("HashMap<String, Vec<u8>>", "std::collections::BTreeMap<String, VecDeque<u8>>"),
            ("HashMap<String, u8, ahash::RandomState>", "HashMap<String, u8>"),
            ("Cow<'static, str>", "String"),
            ("Box<[Item]>", "Vec<shop::Item>"),
            ("( u8,String )", "(u8, String)"),
            ("[u8;4]", "[u8; 4]"),
        ] {
            assert_eq!(Type::parse(a), Type::parse(b));
        }
    }

    #[test]
    fn types_that_differ_are_read_as_such() {
        for (a, b) in [
            ("Option<u64>", "u64"),
            ("[u8; 4]", "[u8; 5]"),
            ("(u8, u8)", "(u8, u8, u8)"),
            ("serde_json::Value", "Value"),
            ("dyn Fn(u8)->u8", "u8"),
            (">", "<"),
        ] {
            assert_ne!(Type::parse(a), Type::parse(b));
        }
    }
}
