//! The parameters of a URL.

use crate::store::engine::Failure;

/// Names and values.
type Parameters<'u> = Vec<(&'u str, &'u str)>;

/// Removes the parameters that are `ours` from a URL, and returns them with their values.
///
/// The client's parser ignores unknown parameters: a misspelt one, or one of another client, would
/// silently have no effect.
///
/// # Errors
///
/// If a parameter is neither `ours` nor one of the client's.
pub(in crate::store) fn parameters<'u>(
    url: &'u str,
    ours: &[&str],
    theirs: &[&str],
) -> Result<(String, Parameters<'u>), Failure> {
    let Some((front, query)) = url.split_once('?') else { return Ok((url.to_owned(), Vec::new())) };
    let (mut left, mut taken) = (String::new(), Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if ours.contains(&name) {
            taken.push((name, value));
        } else if theirs.iter().any(|known| is(known, name)) {
            left.push(if left.is_empty() { '?' } else { '&' });
            left.push_str(part);
        } else {
            let known = [ours, theirs].concat().join(", ");
            // With an `@` after the question mark, this may be the rest of a password.
            let name = match query.contains('@') {
                true => String::new(),
                false => format!(" `{}`", name.escape_debug()),
            };
            let text = format!("the URL has an unknown parameter{name}; known are: {known}");
            return Err(Failure::config(text));
        }
    }
    Ok((format!("{front}{left}"), taken))
}

/// Whether a parameter matches the `known` one, which may be a pattern: `options[…]`.
fn is(known: &str, name: &str) -> bool {
    match known.split_once('…') {
        Some((begin, end)) => {
            name.starts_with(begin) && (name.ends_with(end) || name.ends_with("%5D"))
        }
        None => known == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_taken_out_and_what_is_unknown_is_refused_by_name() {
        let read = |url| parameters(url, &["schema"], &["host", "options[…]"]);
        let (url, taken) = read("postgres://h/d?host=/x&schema=web&options[a]=b&").unwrap();
        assert_eq!(url, "postgres://h/d?host=/x&options[a]=b");
        assert_eq!(taken, [("schema", "web")]);
        assert_eq!(read("postgres://h/d?schema").unwrap().0, "postgres://h/d");
        assert!(read("postgres://h/d?shema=web").unwrap_err().to_string().contains("`shema`"));
        for url in [
            "postgres://h/d?Schema=hunter2",
            "postgres://h/d?a&host=/x",
            "postgres://u:a?hunter2@h/d",
            "postgres://u:a?hunter2&b@h/d",
        ] {
            let said = read(url).unwrap_err().to_string();
            assert!(said.contains("known are: schema, host"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
