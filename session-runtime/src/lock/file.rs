//! The lock file: JSON with one line per field, ordered by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::model::{LockedField, LockedSchema};

/// Incremented when a version of this crate cannot read the files of an earlier one.
const FORMAT: u64 = 1;

/// The contents of a lock file: schemas by the names of their structs.
pub(super) type LockFile = BTreeMap<String, LockedSchema>;

pub(super) fn write(file: &LockFile) -> String {
    let mut text = format!("{{\n  \"format\": {FORMAT},\n  \"schemas\": {{");
    for (index, (name, schema)) in file.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let (name, namespace) = (json!(name), json!(schema.namespace));
        let _ = write!(text, "{comma}\n    {name}: {{\n      \"namespace\": {namespace},");
        let _ = write!(text, "\n      \"version\": {},", schema.version);
        write_fields(&mut text, "fields", &schema.fields);
        text.push(',');
        write_fields(&mut text, "removed", &schema.removed);
        text.push_str("\n    }");
    }
    text.push_str("\n  }\n}\n");
    text
}

fn write_fields(text: &mut String, title: &str, fields: &BTreeMap<String, LockedField>) {
    let _ = write!(text, "\n      \"{title}\": {{");
    for (index, (name, field)) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n        {}: {}", json!(name), properties(field));
    }
    text.push_str(if fields.is_empty() { "}" } else { "\n      }" });
}

/// Returns the properties that differ from those of a plain field.
fn properties(field: &LockedField) -> Json {
    let plain = LockedField::plain(&field.type_name);
    let mut map = Map::new();
    let mut put = |name: &str, differs: bool, value: Json| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("type", true, json!(field.type_name));
    put("aliases", !field.aliases.is_empty(), json!(field.aliases));
    put("kind", field.kind != plain.kind, json!(field.kind));
    put("conflict", field.conflict != plain.conflict, json!(field.conflict));
    put("on_invalid", field.on_invalid != plain.on_invalid, json!(field.on_invalid));
    put("ttl_ms", field.ttl.is_some(), json!(field.ttl));
    for (name, flag) in FLAGS {
        put(name, *flag(&mut field.clone()), json!(true));
    }
    put("default", field.default.is_some(), field.default.clone().unwrap_or_default());
    put("samples", !field.samples.is_empty(), json!(field.samples));
    Json::Object(map)
}

type Flag = fn(&mut LockedField) -> &mut bool;

const FLAGS: [(&str, Flag); 7] = [
    ("principal", |field| &mut field.principal),
    ("renew", |field| &mut field.renew),
    ("clear_on_login", |field| &mut field.clear_on_login),
    ("carry_over", |field| &mut field.carry_over),
    ("listed", |field| &mut field.listed),
    ("secret", |field| &mut field.secret),
    ("null_is_absent", |field| &mut field.null_is_absent),
];

/// Returns the options that differ between two fields, as named in the file.
pub(super) fn differing_flags(a: &LockedField, b: &LockedField) -> Vec<&'static str> {
    let (mut a, mut b) = (a.clone(), b.clone());
    let differing = FLAGS.iter().filter(|(_, flag)| flag(&mut a) != flag(&mut b));
    differing.map(|(name, _)| *name).collect()
}

/// Reads the output of [`write`], edited or not. The error describes what is wrong.
pub(super) fn read(text: &str) -> Result<LockFile, String> {
    let file: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match file.get("format").and_then(Json::as_u64) {
        Some(FORMAT) => {}
        Some(other) => return Err(format!("its format is {other}; this version knows {FORMAT}")),
        None => return Err("it does not say its `format`".to_owned()),
    }
    objects(&file, "schemas")?
        .map(|(name, schema)| Ok((name.clone(), read_schema(schema).map_err(in_(name))?)))
        .collect()
}

fn read_schema(schema: &Json) -> Result<LockedSchema, String> {
    let version = schema.get("version").and_then(Json::as_u64).and_then(|v| v.try_into().ok());
    let fields = |title| {
        objects(schema, title)?
            .map(|(name, field)| Ok((name.clone(), read_field(field).map_err(in_(name))?)))
            .collect::<Result<_, String>>()
    };
    Ok(LockedSchema {
        namespace: text_of(schema, "namespace").ok_or("`namespace` is no text")?.to_owned(),
        version: version.ok_or("`version` is no number")?,
        fields: fields("fields")?,
        removed: if schema.get("removed").is_some() { fields("removed")? } else { BTreeMap::new() },
    })
}

fn read_field(json: &Json) -> Result<LockedField, String> {
    let mut field = LockedField::plain(text_of(json, "type").ok_or("`type` is no text")?);
    for (name, value) in json.as_object().into_iter().flatten() {
        let text = || value.as_str().map(str::to_owned).ok_or(format!("`{name}` is no text"));
        let list = || value.as_array().ok_or(format!("`{name}` is no list"));
        match name.as_str() {
            "type" => {}
            "kind" => field.kind = text()?,
            "conflict" => field.conflict = text()?,
            "on_invalid" => field.on_invalid = text()?,
            "ttl_ms" => field.ttl = Some(value.as_u64().ok_or("`ttl_ms` is no number")?),
            "default" => field.default = Some(value.clone()),
            "samples" => field.samples = list()?.clone(),
            "aliases" => {
                let texts = list()?.iter().map(|alias| alias.as_str().map(str::to_owned));
                field.aliases = texts.collect::<Option<_>>().ok_or("`aliases` are no texts")?;
            }
            _ => {
                let known = FLAGS.iter().find(|(flag, _)| flag == name);
                let (_, flag) = known.ok_or(format!("`{name}` is unknown"))?;
                *flag(&mut field) = value.as_bool().ok_or(format!("`{name}` is no bool"))?;
            }
        }
    }
    Ok(field)
}

fn objects<'j>(
    json: &'j Json,
    name: &str,
) -> Result<impl Iterator<Item = (&'j String, &'j Json)>, String> {
    let object = json.get(name).and_then(Json::as_object);
    Ok(object.ok_or(format!("`{name}` is missing"))?.iter())
}

fn text_of<'j>(json: &'j Json, name: &str) -> Option<&'j str> {
    json.get(name)?.as_str()
}

fn in_(name: &str) -> impl Fn(String) -> String {
    move |fault| format!("`{name}`: {fault}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written_and_has_one_line_per_field() {
        let mut cart = LockedField::plain("Vec<Item>");
        cart.aliases = vec!["basket".to_owned()];
        cart.samples = vec![json!([{"name": "pen \"x\""}])];
        cart.default = Some(json!([]));
        let mut code = LockedField::plain("Option<String>");
        code.kind = "flash".to_owned();
        code.conflict = "write once".to_owned();
        code.on_invalid = "error".to_owned();
        code.ttl = Some(600_000);
        for (_, flag) in FLAGS {
            *flag(&mut code) = true;
        }
        let schema = LockedSchema {
            namespace: "shop".to_owned(),
            version: 3,
            fields: [("cart".to_owned(), cart), ("code".to_owned(), code)].into(),
            removed: [("page".to_owned(), LockedField::plain("u32"))].into(),
        };
        let empty = LockedSchema { removed: BTreeMap::new(), ..schema.clone() };
        let file: LockFile = [("Visitor".to_owned(), schema), ("Admin".to_owned(), empty)].into();
        let text = write(&file);
        assert_eq!(read(&text), Ok(file));
        let line = r#"        "page": {"type":"u32"}"#;
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (text, fault) in [
            ("", "EOF"),
            ("{}", "`format`"),
            (r#"{"format": 2}"#, "its format is 2"),
            (r#"{"format": 1}"#, "`schemas` is missing"),
            (
                r#"{"format":1,"schemas":{"V":{"namespace":"","version":1,"fields":{"a":{"type":"u8","x":1}}}}}"#,
                "`V`: `a`: `x` is unknown",
            ),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(fault), "{said}");
        }
    }
}
