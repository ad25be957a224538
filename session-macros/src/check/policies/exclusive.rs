//! The options that exclude each other.

/// An option, the options that it excludes, and the reason. The later one is reported.
pub(super) const EXCLUSIVE: &[(&str, &[&str], &str)] = &[
    ("principal", &["counter"], "who is signed in is replaced, never added to"),
    (
        "principal",
        &["flash"],
        "a flash is gone after one request, and the visitor would be signed out with it",
    ),
    (
        "principal",
        &["nonce"],
        "a nonce is gone once it is consumed, and the visitor would be signed out with it",
    ),
    (
        "principal",
        &["with"],
        "sessions are looked up by who is signed in, as serde writes it; \
         write the type's own `Serialize` and `Deserialize`",
    ),
    (
        "principal",
        &["ttl"],
        "a user stays signed in until the session ends; \
         limit that with `remember` or the timeouts of the layer",
    ),
    (
        "principal",
        &["merge", "compare", "write_once"],
        "every sign-in renews the session, so two of them never meet in one field",
    ),
    ("principal", &["clear_on_login"], "a sign-in sets this field; remove `clear_on_login`"),
    (
        "principal",
        &["secret"],
        "sessions are looked up by who is signed in, which must be readable for that",
    ),
    (
        "principal",
        &["listed"],
        "a listing shows the sessions of one principal, the same in every line; remove `listed`",
    ),
    ("counter", &["flash"], "a counter is kept and added to, a flash is taken once"),
    ("counter", &["nonce"], "a counter is kept and added to, a nonce is consumed once"),
    ("counter", &["with"], "the store adds to a counter, so it must be stored as a plain number"),
    ("counter", &["copy"], "a counter is returned by value anyway; remove `copy`"),
    (
        "counter",
        &["ttl"],
        "the store adds to a counter, so it must be stored as a plain number, \
         without a time beside it",
    ),
    (
        "counter",
        &["merge", "compare"],
        "concurrent additions all count anyway; keep `counter` alone",
    ),
    (
        "counter",
        &["write_once"],
        "a counter changes again and again, and `write_once` lets it be set a single time",
    ),
    (
        "counter",
        &["secret"],
        "the store adds to a counter, which it cannot do with an encrypted number",
    ),
    ("flash", &["copy"], "a flash has no getter, it is taken by value anyway; remove `copy`"),
    (
        "flash",
        &["nonce"],
        "a flash is taken by the visitor's next request, a nonce by one request at most; \
         keep `flash` for messages, `nonce` for one-time tokens",
    ),
    (
        "flash",
        &["merge", "compare", "write_once"],
        "a flash is set anew each time and taken, so there is nothing to keep or to compare with",
    ),
    ("flash", &["listed"], "a flash is gone after one request; list a field that stays"),
    ("nonce", &["default"], "a nonce that nobody set must not be handed out; remove `default`"),
    ("nonce", &["listed"], "who sees a nonce can use it; remove `listed`"),
    (
        "nonce",
        &["renew"],
        "a nonce grants nothing by itself; \
         put `renew` on the field that says what the visitor may do",
    ),
    (
        "nonce",
        &["merge", "compare", "write_once"],
        "a nonce is set anew each time and consumed, so there is nothing to keep or to compare with",
    ),
    ("nonce", &["copy"], "a nonce has no getter, it is consumed by value anyway; remove `copy`"),
    (
        "nonce",
        &["on_invalid"],
        "a nonce is decoded when it is consumed, which reports what is wrong with it; \
         remove `on_invalid`",
    ),
    ("merge", &["compare", "write_once"], CONFLICT),
    ("compare", &["write_once"], CONFLICT),
    (
        "write_once",
        &["ttl"],
        "when its time is over, the field could be written again; keep the one you mean",
    ),
    ("secret", &["listed"], "a secret is never shown, and a listing shows the field"),
    (
        "carry_over",
        &["principal"],
        "what is carried over goes to the next user, and this field says who that is",
    ),
    (
        "carry_over",
        &["renew"],
        "the next user of the browser would inherit a privilege; keep the one you mean",
    ),
    ("carry_over", &["secret"], "the next user of the browser would inherit a secret"),
    ("carry_over", &["nonce"], "a flow that one user began is not another one's to end"),
    (
        "carry_over",
        &["clear_on_login"],
        "the one keeps the field when another user signs in, the other removes it; \
         keep the one you mean",
    ),
];

const CONFLICT: &str = "each says what happens when two requests change the field; keep one";

#[cfg(test)]
mod tests {
    use super::EXCLUSIVE;

    #[test]
    fn every_option_of_the_table_exists_and_no_pair_stands_twice() {
        let mut pairs = Vec::new();
        for (first, others, _) in EXCLUSIVE {
            for second in *others {
                for option in [first, second] {
                    assert!(crate::options::Place::Field.has(option), "{option}");
                }
                let mut pair = [first, second];
                pair.sort_unstable();
                assert!(!pairs.contains(&pair), "{pair:?}");
                pairs.push(pair);
            }
        }
    }
}
