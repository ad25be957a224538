//! What a test kit is told of values that do not come back. A program that runs
//! without one pays nothing for it.

use std::sync::{Mutex, PoisonError};

use super::core::Core;
use super::value;
use crate::codec::{Codec, Value, same_but_for_order};
use crate::schema::{Field, Schema};

/// The first value that a session took and will not give back.
#[derive(Debug, Default)]
pub(crate) struct Audit(Mutex<Option<String>>);

impl Audit {
    /// What was found since the last call.
    pub(crate) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn report(&self, schema: &Schema, field: &Field, problem: &str) {
        let Schema { name: schema, .. } = schema;
        let Field { name: field, type_name, .. } = field;
        let text = format!("the field `{field}: {type_name}` of `{schema}` {problem}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    /// Looks at what is to be stored of `field`.
    pub(super) fn stored(&self, schema: &Schema, field: &'static Field, stored: &[u8]) {
        let json = value::bare(field, stored);
        let problem = match (field.codec().decode)(json).map(|value| text(field.codec(), &value)) {
            Ok(Some(again)) if same_but_for_order(json, &again) => return,
            Ok(_) => {
                "is stored, and read back as another value: its `Serialize` and `Deserialize` do not fit together"
            }
            Err(_) => {
                "is stored, and cannot be read back: its `Deserialize` does not accept what its `Serialize` writes (integers as keys of a map inside of a tagged or flattened type are text in JSON)"
            }
        };
        self.report(
            schema,
            field,
            &format!(
                "{problem}; change the type, or name a module with `#[session(with = \"…\")]`"
            ),
        );
    }

    /// Looks at a value that was read, and neither set nor borrowed mutably. `stored` is
    /// what it was decoded from.
    fn read(&self, schema: &Schema, field: &'static Field, value: &Value, stored: Option<&[u8]>) {
        let codec = field.codec();
        let (Some(now), [one, other]) =
            (text(codec, value), [(); 2].map(|()| text(codec, &field.default_value())))
        else {
            return;
        };
        let decoded = stored.and_then(|it| (codec.decode)(value::bare(field, it)).ok());
        let was = decoded.and_then(|value| text(codec, &value));
        // Of a default that differs each time nothing can be said.
        let same =
            |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|it| same_but_for_order(it, &now));
        if !same(&was) && !same(&one) && one == other {
            self.report(
                schema,
                field,
                "was changed through a shared reference, and nothing of that is stored: keep a plain value in it, without atomics, `Mutex`, `RwLock` or `Cell`, and change it with its setter or its `…_mut()`",
            );
        }
    }
}

/// The JSON of a value that has one.
fn text(codec: &Codec, value: &Value) -> Option<Vec<u8>> {
    codec.bytes_of(&**value).ok()
}

impl Core {
    /// What a test kit looks at when a handle has done its work.
    pub(super) fn audit_reads(&self) {
        let Some(audit) = self.backend.audit() else { return };
        // A save that was given up has published what this handle has not seen again.
        if std::thread::panicking() || self.backend.scope().published() != self.seen {
            return;
        }
        for (field, value) in self.read_values() {
            let stored = self.stored(field).map(|(_, stored)| stored);
            audit.read(self.schema, field, value, stored);
        }
    }
}
