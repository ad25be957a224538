//! The parts of a document that a program writes.

/// Replaces what stands between the two marks `<!-- NAME -->` and
/// `<!-- end of NAME -->`; `None` if the document does not have them.
#[must_use]
pub fn replace_marked(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        let replaced = replace_marked(document, "x", "new\n").unwrap();
        assert_eq!(replaced, "a\n<!-- x -->\n\nnew\n\n<!-- end of x -->\nb\n");
        assert_eq!(replace_marked(&replaced, "x", "new").unwrap(), replaced);
        assert_eq!(replace_marked(document, "y", "new"), None);
    }
}
