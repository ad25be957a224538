//! Decodes recorded values with the current codecs.

use serde_json::Value as Json;

use super::model::alike;
use crate::schema::Field;

/// The result of decoding a recorded value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tried {
    /// It decodes, and would be stored as before.
    Same,
    /// It decodes, but would be stored as this.
    Differs(Json),
    /// It decodes, except for this part.
    Drops(String),
    /// It does not decode.
    Fails,
}

impl Tried {
    pub(super) fn of(value: &Json, field: &'static Field) -> Self {
        let codec = field.codec();
        let Ok(decoded) = (codec.decode)(value.to_string().as_bytes()) else {
            return Self::Fails;
        };
        let again = codec.bytes_of(&*decoded).ok();
        let Some(again) = again.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
            return Self::Fails;
        };
        match dropped(value, &again, String::new()) {
            Some(part) => Self::Drops(part),
            None if alike(value, &again) => Self::Same,
            None => Self::Differs(again),
        }
    }
}

/// Returns the path of a part that is in `value` but not in `again`.
fn dropped(value: &Json, again: &Json, path: String) -> Option<String> {
    match (value, again) {
        (Json::Object(value), Json::Object(again)) => value.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match again.get(name) {
                Some(again) => dropped(value, again, path),
                // Left out instead of `null`.
                None => (!value.is_null()).then_some(path),
            }
        }),
        (Json::Array(value), Json::Array(again)) => {
            // A set has no order, so its elements cannot be compared one by one.
            if alike(&Json::Array(value.clone()), &Json::Array(again.clone())) {
                return None;
            }
            value.iter().enumerate().find_map(|(at, value)| {
                let path = format!("{path}[{at}]");
                again.get(at).map_or(Some(path.clone()), |again| dropped(value, again, path))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        for (value, again, part) in [
            (json!({"a": 1}), json!({"b": 1}), Some("a")),
            (json!([{"a": {"b": 1}}]), json!([{"a": {"c": 1}}]), Some("[0].a.b")),
            (json!({"a": [1, 2]}), json!({"a": [1]}), Some("a[1]")),
            (json!({"a": null}), json!({}), None),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), None),
            (json!([1, 2]), json!([2, 1]), None),
            (json!({"a": 1}), json!([1]), None),
        ] {
            assert_eq!(dropped(&value, &again, String::new()).as_deref(), part, "{value}");
        }
    }
}
