//! Statements with their arguments in one text, and so in one message: behind a pooler, two
//! messages may reach two connections of the server.

use std::fmt::Write as _;

use crate::store::sql::Arg;

/// Returns `template` with each `?` replaced by an argument.
pub(super) fn literal(template: &str, args: &[Arg<'_>]) -> String {
    let mut parts = template.split('?');
    let mut sql = parts.next().unwrap_or_default().to_owned();
    for (part, arg) in parts.zip(args) {
        match *arg {
            Arg::Int(it) => number(&mut sql, Some(it)),
            Arg::MaybeInt(it) => number(&mut sql, it),
            Arg::Text(it) => text(&mut sql, it),
            Arg::Bytes(it) => bytes(&mut sql, Some(it)),
            Arg::MaybeBytes(it) => bytes(&mut sql, it),
        }
        sql.push_str(part);
    }
    sql
}

fn number(sql: &mut String, number: Option<i64>) {
    let _ = match number {
        // Quoted, because the cast would bind more tightly than a sign.
        Some(number) => write!(sql, "'{number}'::bigint"),
        None => write!(sql, "NULL::bigint"),
    };
}

/// Writes a text as `E'…'`, which does not depend on `standard_conforming_strings`.
fn text(sql: &mut String, text: &str) {
    sql.push_str("E'");
    for c in text.chars() {
        match c {
            '\'' => sql.push_str("''"),
            '\\' => sql.push_str("\\\\"),
            // Would end the message. No text contains it.
            '\0' => {}
            c => sql.push(c),
        }
    }
    sql.push_str("'::pg_catalog.text");
}

fn bytes(sql: &mut String, bytes: Option<&[u8]>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let Some(bytes) = bytes else { return sql.push_str("NULL::pg_catalog.bytea") };
    sql.push_str("E'\\\\x");
    for byte in bytes {
        sql.push(char::from(DIGITS[usize::from(byte >> 4)]));
        sql.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    sql.push_str("'::pg_catalog.bytea");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_its_literal() {
        let args = [
            Arg::Text("a'b\\'; DROP TABLE x -- ?"),
            Arg::Bytes(b"'\\\0"),
            Arg::MaybeBytes(None),
            Arg::Int(i64::MIN),
            Arg::MaybeInt(None),
        ];
        assert_eq!(
            literal("f(?, ?, ?, ?, ?)", &args),
            "f(E'a''b\\\\''; DROP TABLE x -- ?'::pg_catalog.text, \
             E'\\\\x275c00'::pg_catalog.bytea, NULL::pg_catalog.bytea, \
             '-9223372036854775808'::bigint, NULL::bigint)"
        );
    }
}
