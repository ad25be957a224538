//! Advice about a certificate that is refused.

use std::io;

/// Returns advice if `error` says that the server's certificate is refused. `authority` is the URL
/// parameter that names a certificate file.
///
/// Recognises the error by its text: its type belongs to the client's TLS library, which is not
/// always compiled in.
pub(in crate::store) fn certificate(error: &io::Error, authority: &str) -> Option<String> {
    let said = error.to_string();
    let why = said.strip_prefix("invalid peer certificate: ")?;
    let cure = if why.contains("UnknownIssuer") {
        format!(
            "; if the authority that signed it is your own, name its file in the URL: `{authority}`"
        )
    } else if why.contains("not valid for name") {
        "; connect by a name that stands in it".to_owned()
    } else {
        String::new()
    };
    Some(format!("TLS: the server's certificate is refused: {why}{cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_certificate_is_one() {
        let said = |text: &str| certificate(&io::Error::other(text.to_owned()), "ca");
        assert_eq!(said("connection refused"), None);
        let unknown = said("invalid peer certificate: UnknownIssuer").unwrap();
        assert!(unknown.ends_with("`ca`"), "{unknown}");
        let expired = said("invalid peer certificate: Expired").unwrap();
        assert!(expired.ends_with("refused: Expired"), "{expired}");
    }
}
