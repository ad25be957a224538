//! Canonical JSON, for values that encode in several ways: a `HashMap` writes its entries in a
//! different order each time.

use std::borrow::Cow;

/// Values nested deeper are not reordered: the decoder rejects them anyway.
const DEEPEST: usize = 128;

/// Returns `json` with the entries of every object sorted by name and without white space between
/// tokens. Arrays, numbers and strings stay as they are; so does input that is not JSON.
pub(crate) fn canonical(json: &[u8]) -> Cow<'_, [u8]> {
    // Only the order within objects is insignificant.
    if json.contains(&b'{') { ordered(json, false) } else { Cow::Borrowed(json) }
}

/// Whether two encodings differ only in the order of entries and elements, as two encodings of one
/// set do. The elements of lists are compared in the same way.
pub(crate) fn same_but_for_order(a: &[u8], b: &[u8]) -> bool {
    a == b || ordered(a, true) == ordered(b, true)
}

fn ordered(json: &[u8], elements: bool) -> Cow<'_, [u8]> {
    let mut scan = Scan { rest: json, elements };
    let mut out = Vec::with_capacity(json.len());
    match scan.value(&mut out, DEEPEST) {
        Some(()) if scan.peek().is_none() => Cow::Owned(out),
        _ => Cow::Borrowed(json),
    }
}

/// The input left to read. Its methods return `None` if it is not JSON.
struct Scan<'j> {
    rest: &'j [u8],
    /// Whether elements are sorted, too.
    elements: bool,
}

impl<'j> Scan<'j> {
    /// Returns the first byte of the next token.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn skip(&mut self, token: u8) -> Option<()> {
        (self.peek()? == token).then(|| self.rest = &self.rest[1..])
    }

    fn take(&mut self, length: usize) -> &'j [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn value(&mut self, out: &mut Vec<u8>, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.object(out, levels),
            b'[' => self.array(out, levels),
            b'"' => {
                out.extend_from_slice(self.string()?);
                Some(())
            }
            _ => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
                let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
                out.extend_from_slice(self.take(length));
                (length > 0).then_some(())
            }
        }
    }

    fn string(&mut self) -> Option<&'j [u8]> {
        if self.peek()? != b'"' {
            return None;
        }
        let mut escaped = false;
        let ends = |byte: &u8| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        };
        let length = self.rest[1..].iter().position(ends)?;
        Some(self.take(length + 2))
    }

    fn array(&mut self, out: &mut Vec<u8>, levels: usize) -> Option<()> {
        self.skip(b'[')?;
        let mut elements: Vec<Vec<u8>> = Vec::new();
        if self.peek()? != b']' {
            loop {
                let mut element = Vec::new();
                self.value(&mut element, levels)?;
                elements.push(element);
                if self.peek()? != b',' {
                    break;
                }
                self.skip(b',')?;
            }
        }
        self.skip(b']')?;
        if self.elements {
            elements.sort_unstable();
        }
        out.push(b'[');
        out.extend_from_slice(&elements.join(&b','));
        out.push(b']');
        Some(())
    }

    fn object(&mut self, out: &mut Vec<u8>, levels: usize) -> Option<()> {
        self.skip(b'{')?;
        let mut entries: Vec<(&[u8], Vec<u8>)> = Vec::new();
        if self.peek()? != b'}' {
            loop {
                let name = self.string()?;
                self.skip(b':')?;
                let mut value = Vec::new();
                self.value(&mut value, levels)?;
                entries.push((name, value));
                if self.peek()? != b',' {
                    break;
                }
                self.skip(b',')?;
            }
        }
        self.skip(b'}')?;
        // A stable sort: if a name occurs twice, the last value still wins.
        entries.sort_by_key(|(name, _)| *name);
        out.push(b'{');
        for (at, (name, value)) in entries.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.push(b'}');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        String::from_utf8(canonical(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn entries_are_sorted_at_every_level_and_nothing_else_is() {
        for (json, expected) in [
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            (
                r#"[{"b":[3,1],"a":{}},"{\"b\":1,\"a\":2}"]"#,
                r#"[{"a":{},"b":[3,1]},"{\"b\":1,\"a\":2}"]"#,
            ),
            (r#"{ "b" : [ 1 , 2 ] , "a" : null }"#, r#"{"a":null,"b":[1,2]}"#),
            (r#"{"a\"}":1.0,"a":-0.0}"#, r#"{"a":-0.0,"a\"}":1.0}"#),
            (r#"{"a":2,"a":1}"#, r#"{"a":2,"a":1}"#),
            ("[2,1]", "[2,1]"),
        ] {
            assert_eq!(of(json), expected);
        }
    }

    #[test]
    fn a_set_is_the_same_in_every_order() {
        let same = |a: &str, b: &str| same_but_for_order(a.as_bytes(), b.as_bytes());
        assert!(same(r#"[[2,1],{"b":[],"a":1}]"#, r#"[{"a":1,"b":[]},[1,2]]"#));
        assert!(!same("[1,1,2]", "[1,2,2]"));
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        for text in
            ["{", "{\"b\":1,\"a\":2", "{\"b\":1,\"a\"}", "{b:1}", "{\"a\":}", "{} x", "{\"a", "{]"]
        {
            assert_eq!(of(text), text);
        }
        let deep = format!("{}{{\"b\":1,\"a\":1}}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(of(&deep), deep);
    }
}
