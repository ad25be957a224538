//! The sessions of the benches, as their fields are stored.

use session_runtime::__private::record::Fields;

/// Five fields, about 100 bytes.
pub(crate) fn small(user: u64) -> Fields {
    let user = user.to_string();
    let csrf = format!("\"{}\"", "c".repeat(32));
    let fields = [
        ("user_id", &*user),
        ("username", "\"adalovelace1\""),
        ("csrf", &csrf),
        ("visits", "0"),
        ("locale", "\"en\""),
    ];
    fields.into_iter().map(|(name, json)| (name, json.as_bytes())).collect()
}

/// Fifty fields: ten integers, thirty strings, ten lists; about 5 KB.
pub(crate) fn large(user: u64) -> Fields {
    let number = (1_000_000 + user % 1_000).to_string();
    let text = |c: &str| format!("\"{}\"", c.repeat(64));
    let tags = format!("[{}]", ["\"a tag of twenty-four bytes\""; 5].join(","));
    let mut fields = vec![("visits".to_owned(), "0".to_owned())];
    fields.extend((1..10).map(|n| (format!("number_{n}"), number.clone())));
    for n in 0..10 {
        for (name, value) in [
            ("title", text("t")),
            ("summary", text("s")),
            ("address", text("a")),
            ("tags", tags.clone()),
        ] {
            fields.push((format!("{name}_{n}"), value));
        }
    }
    fields.iter().map(|(name, json)| (name.as_str(), json.as_bytes())).collect()
}
