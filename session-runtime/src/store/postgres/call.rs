//! One call of a function of the layout: bound as parameters, or written into
//! the statement for a pooler.

use std::fmt::Write as _;

use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use super::arg::Arg;
use super::failure::Failure;

/// `SELECT * FROM function($1, …)`.
pub(super) fn prepared(function: &str, count: usize) -> String {
    let mut sql = format!("SELECT * FROM {function}(");
    for n in 1..=count {
        let _ = write!(sql, "{}${n}", if n > 1 { ", " } else { "" });
    }
    sql.push(')');
    sql
}

/// The arguments as parameters.
pub(super) fn bind(args: &[Arg<'_>]) -> Result<PgArguments, Failure> {
    let mut bound = PgArguments::default();
    for arg in args {
        match arg {
            Arg::Bool(it) => bound.add(*it),
            Arg::Int(it) => bound.add(*it),
            Arg::Big(it) => bound.add(*it),
            Arg::Text(it) => bound.add(it.as_deref()),
            Arg::Bytes(it) => bound.add(*it),
            Arg::Ints(it) => bound.add(it.as_slice()),
            Arg::Bigs(it) => bound.add(it.as_slice()),
            Arg::Texts(it) => bound.add(it.as_slice()),
            Arg::OwnTexts(it) => {
                bound.add(it.iter().map(Option::as_deref).collect::<Vec<Option<&str>>>())
            }
            Arg::Byteas(it) => bound.add(it.as_slice()),
        }
        .map_err(|_| Failure::too_large())?;
    }
    Ok(bound)
}

/// The whole statement in one text, which one message carries: behind a
/// pooler, two messages may reach two servers.
pub(super) fn literal(function: &str, args: &[Arg<'_>]) -> String {
    let mut sql = format!("SELECT * FROM {function}(");
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            sql.push_str(", ");
        }
        match arg {
            Arg::Bool(it) => sql.push_str(if *it { "true" } else { "false" }),
            Arg::Int(it) => number(&mut sql, Some(i64::from(*it)), "integer"),
            Arg::Big(it) => number(&mut sql, *it, "bigint"),
            Arg::Text(it) => text(&mut sql, it.as_deref()),
            Arg::Bytes(it) => bytes(&mut sql, *it),
            Arg::Ints(it) => array(&mut sql, it, "integer", |sql, it| {
                number(sql, Some(i64::from(*it)), "integer");
            }),
            Arg::Bigs(it) => array(&mut sql, it, "bigint", |sql, it| {
                number(sql, Some(*it), "bigint");
            }),
            Arg::Texts(it) => array(&mut sql, it, "text", |sql, it| text(sql, *it)),
            Arg::OwnTexts(it) => array(&mut sql, it, "text", |sql, it| text(sql, it.as_deref())),
            Arg::Byteas(it) => array(&mut sql, it, "bytea", |sql, it| bytes(sql, *it)),
        }
    }
    sql.push(')');
    sql
}

fn array<T>(sql: &mut String, items: &[T], of: &str, item: impl Fn(&mut String, &T)) {
    sql.push_str("ARRAY[");
    for (index, it) in items.iter().enumerate() {
        if index > 0 {
            sql.push(',');
        }
        item(sql, it);
    }
    let _ = write!(sql, "]::{of}[]");
}

fn number(sql: &mut String, number: Option<i64>, of: &str) {
    let _ = match number {
        // Quoted, because a sign would bind weaker than the cast.
        Some(number) => write!(sql, "'{number}'::{of}"),
        None => write!(sql, "NULL::{of}"),
    };
}

/// `E'…'` reads the same whatever `standard_conforming_strings` says.
fn text(sql: &mut String, text: Option<&str>) {
    let Some(text) = text else { return sql.push_str("NULL::text") };
    sql.push_str("E'");
    for c in text.chars() {
        match c {
            '\'' => sql.push_str("''"),
            '\\' => sql.push_str("\\\\"),
            // Would end the message. No text with it gets here.
            '\0' => {}
            c => sql.push(c),
        }
    }
    sql.push_str("'::text");
}

fn bytes(sql: &mut String, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return sql.push_str("NULL::bytea") };
    sql.push_str("E'\\\\x");
    for byte in bytes {
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push_str("'::bytea");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_its_literal() {
        let args = [
            Arg::Text(Some("a'b\\'; DROP TABLE x --".into())),
            Arg::Texts(vec![Some("\\"), None, Some("''")]),
            Arg::Bytes(Some(b"'\\\0")),
            Arg::Big(Some(i64::MIN)),
            Arg::Bigs(vec![]),
        ];
        assert_eq!(
            literal("f", &args),
            "SELECT * FROM f(E'a''b\\\\''; DROP TABLE x --'::text, \
             ARRAY[E'\\\\'::text,NULL::text,E''''''::text]::text[], E'\\\\x275c00'::bytea, \
             '-9223372036854775808'::bigint, ARRAY[]::bigint[])"
        );
        assert_eq!(prepared("f", 2), "SELECT * FROM f($1, $2)");
    }
}
