//! Reports to the test kit field values that do not survive a round trip through the store.
//! Inactive unless a test kit installs it.

use std::sync::{Mutex, PoisonError};

use super::core::Core;
use super::value;
use crate::codec::{Codec, Value, same_but_for_order};
use crate::inline::FieldBytes;
use crate::schema::{Field, Schema};

/// The first faulty value that a session was given.
#[derive(Debug, Default)]
pub(crate) struct Audit(Mutex<Option<String>>);

impl Audit {
    /// Takes the fault found since the last call.
    pub(crate) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn report(&self, schema: &Schema, field: &Field, problem: &str) {
        let Schema { name: schema, .. } = schema;
        let Field { name: field, type_name, .. } = field;
        let text = format!("the field `{field}: {type_name}` of `{schema}` {problem}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    /// Checks that `stored`, about to be stored for `field`, decodes to the same value.
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

    /// Checks a value that was read but neither set nor borrowed mutably. `stored` is what it was
    /// decoded from.
    fn read(&self, schema: &Schema, field: &'static Field, value: &Value, stored: Option<&[u8]>) {
        let codec = field.codec();
        let (Some(now), [one, other]) =
            (text(codec, value), [(); 2].map(|()| text(codec, &field.default_value())))
        else {
            return;
        };
        let decoded = stored.and_then(|it| (codec.decode)(value::bare(field, it)).ok());
        let was = decoded.and_then(|value| text(codec, &value));
        // A default that differs on every call proves nothing.
        let same = |text: &Option<FieldBytes>| {
            text.as_ref().is_some_and(|it| same_but_for_order(it, &now))
        };
        if !same(&was) && !same(&one) && one == other {
            self.report(
                schema,
                field,
                "was changed through a shared reference, and nothing of that is stored: keep a plain value in it, without atomics, `Mutex`, `RwLock` or `Cell`, and change it with its setter or its `…_mut()`",
            );
        }
    }
}

/// The JSON of `value`, or `None` if it does not encode.
fn text(codec: &Codec, value: &Value) -> Option<FieldBytes> {
    codec.bytes_of(&**value).ok()
}

impl Core {
    /// Checks the values that a finished handle has read.
    pub(super) fn audit_reads(&self) {
        let Some(audit) = self.backend.audit() else { return };
        // After an abandoned save the request has published changes that this handle has not seen.
        if std::thread::panicking() || self.backend.scope().published() != self.seen {
            return;
        }
        for (field, value) in self.read_values() {
            let stored = self.stored(field).map(|(_, stored)| stored);
            audit.read(self.schema, field, value, stored);
        }
    }
}
