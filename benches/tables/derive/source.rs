//! The crates that are compiled.

use std::fmt::{self, Write};

/// What is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nothing: what the struct costs.
    Bare,
    /// `serde::Serialize` and `serde::Deserialize`.
    Serde,
    /// `SessionSchema`.
    Ours,
}

/// Whether anybody calls what was derived. Serde's functions are generic: only
/// their use makes the compiler generate code for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nobody.
    Declared,
    /// Serde's: encoded to JSON and decoded. Ours: extracted, a field read and
    /// set, and the whole struct taken out and put back.
    Called,
}

impl Use {
    pub(crate) const ALL: [Self; 2] = [Self::Declared, Self::Called];
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declared => "declared",
            Self::Called => "used",
        })
    }
}

/// `copies` structs of ten integers, thirty strings and ten lists.
pub(crate) fn of(subject: Subject, used: Use, copies: usize) -> String {
    let mut source = "//! A crate to be compiled.\n".to_owned();
    for number in 0..copies {
        let derive = match subject {
            Subject::Bare => "",
            Subject::Serde => "#[derive(serde::Serialize, serde::Deserialize)]\n",
            Subject::Ours => "#[derive(session_runtime::SessionSchema)]\n",
        };
        let _ = write!(source, "/// Large.\n{derive}pub struct Large{number} {{");
        for field in 0..50 {
            let ty = match field {
                0..10 => "u64",
                10..40 => "String",
                _ => "Vec<String>",
            };
            let _ = write!(source, "/// Field {field}.\npub field_{field}: {ty},\n");
        }
        source.push_str("}\n");
        if used == Use::Called {
            source.push_str(&call(subject).replace("NUMBER", &number.to_string()));
        }
    }
    source
}

fn call(subject: Subject) -> &'static str {
    match subject {
        Subject::Bare => "",
        Subject::Serde => {
            "
            /// There and back.
            pub fn there_and_back_NUMBER(json: &str) -> serde_json::Result<String> {
                let mut value: LargeNUMBER = serde_json::from_str(json)?;
                value.field_0 += 1;
                serde_json::to_string(&value)
            }
            "
        }
        Subject::Ours => {
            "
            /// What a handler is after its extractor; boxed, so that it is compiled here.
            pub fn there_and_back_NUMBER(
                mut parts: http::request::Parts,
            ) -> std::pin::Pin<Box<dyn Future<Output = Result<u64, session_runtime::SessionRejection>> + Send>> {
                Box::pin(async move {
                    let mut session = <session_runtime::Session<LargeNUMBER> as axum_core::extract::FromRequestParts<()>>::from_request_parts(&mut parts, &()).await?;
                    session.set_field_0(session.field_0() + 1);
                    let all = session.snapshot();
                    session.replace(all);
                    Ok(session.field_0())
                })
            }
            "
        }
    }
}
