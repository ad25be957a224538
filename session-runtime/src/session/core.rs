//! The untyped core of a handle: slots that decode on first read, with the changes on top.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::scope::Backend;
use super::value;
use crate::codec::{CodecError, NULL, Value};
use crate::error::SessionError;
use crate::keys::is_locked;
use crate::record::Fields;
use crate::record::Record;
use crate::record::patch::Add;
use crate::schema::{ConflictPolicy, Field, FieldKind, Schema};
use crate::ticket::LoginTicket;

/// A field as this handle sees it.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) loaded: OnceLock<Value>,
    /// One more than the index into `Core::changes`; zero for unchanged.
    pub(super) change: u16,
}

/// Number of changes that a handle allocates room for on its first one.
const AT_FIRST: usize = 6;

/// A field that this handle changed and has not published.
pub(super) struct Change {
    pub(super) index: u16,
    pub(super) seq: u64,
    pub(super) value: Value,
    pub(super) how: How,
    /// The encoding before the value was lent, if it differs from what is stored: a set is ordered
    /// differently in each instance.
    pub(super) before: Option<Vec<u8>>,
    /// Number of the last publication of this field that the handle had seen.
    pub(super) seen: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum How {
    /// Replaced by a setter.
    Set,
    /// The principal, replaced by the user to act as.
    Acts,
    /// Borrowed mutably: changed if it differs from what was loaded.
    Touched,
    /// Added to.
    Added(Add),
    /// Reset to the default.
    Reset,
    /// A flash value was taken; only what was read may be removed.
    Taken,
}

/// Requested events that do not concern a field.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) authenticated: bool,
    pub(super) renew: bool,
    pub(super) remember: Option<Duration>,
    pub(super) ticket: Option<LoginTicket>,
    pub(super) external: Option<String>,
}

/// Which unpublished changes are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publish {
    Everything,
    /// Everything, from a handle that is being dropped: its values are not read again.
    Last,
    /// The handler is unwinding: only what takes privileges away is published.
    SignOutOnly,
}

impl Publish {
    pub(super) const fn everything(self) -> bool {
        matches!(self, Self::Everything | Self::Last)
    }
}

/// One value of a keyed nonce that this handle set and has not published.
pub(super) struct KeyedChange {
    pub(super) index: u16,
    pub(super) seq: u64,
    pub(super) name: String,
    pub(super) value: Value,
}

pub(crate) struct Core {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) schema: &'static Schema,
    /// The record as loaded, or as last saved.
    pub(super) record: Option<Arc<Record>>,
    /// Its fields with what this request had published when they were read, if they differ from the
    /// record's own.
    pub(super) projected: Option<Fields>,
    pub(super) generation: u32,
    /// How many publications of its request this handle has seen.
    pub(super) seen: u64,
    pub(super) slots: Box<[Slot]>,
    pub(super) changes: Vec<Change>,
    pub(super) keyed: Vec<KeyedChange>,
    pub(super) events: Events,
    pub(super) dirty: bool,
}

impl Core {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        schema: &'static Schema,
        record: Option<Arc<Record>>,
        projected: Option<Fields>,
        generation: u32,
        seen: u64,
    ) -> Self {
        Self {
            backend,
            schema,
            record,
            projected,
            generation,
            seen,
            slots: std::iter::repeat_with(Slot::default).take(schema.fields.len()).collect(),
            changes: Vec::new(),
            keyed: Vec::new(),
            events: Events::default(),
            dirty: false,
        }
    }

    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        self.record.as_ref()
    }

    /// Returns the fields as this handle sees them.
    pub(super) fn fields(&self) -> &Fields {
        static NONE: Fields = Fields::new();
        let stored = self.record.as_ref().map_or(&NONE, |record| &record.fields);
        self.projected.as_ref().unwrap_or(stored)
    }

    pub(super) fn field(&self, index: usize) -> &'static Field {
        &self.schema.fields[index]
    }

    /// Returns the stored bytes of a field and the name they are stored under. The primary name
    /// wins over its aliases.
    pub(super) fn stored(&self, field: &'static Field) -> Option<(&'static str, &[u8])> {
        field.names().find_map(|name| Some((name, self.fields().get(name)?)))
    }

    /// Decodes the stored value; `None` if there is none or it has expired.
    pub(super) fn decode(&self, field: &'static Field) -> Option<Result<Value, CodecError>> {
        let (_, bytes) = self.stored(field)?;
        if field.ttl.is_none() {
            // Without a `ttl` there is no need to read the clock.
            return Some((field.codec().decode)(bytes));
        }
        value::decode(field, bytes, self.backend.now())
    }

    pub(super) fn load(&self, index: usize) -> Value {
        let field = self.field(index);
        match self.decode(field) {
            Some(Ok(value)) => value,
            None => field.default_value(),
            Some(Err(error)) => {
                tracing::warn!(
                    schema = self.schema.name,
                    field = field.name,
                    session = self.record.as_ref().map(|record| tracing::field::display(record.id)),
                    // Category and position only: serde's text may quote the value.
                    category = ?error.classify(),
                    column = error.column(),
                    opened = self.opens(field),
                    "a stored session field does not decode as `{}`; it reads as its default and its bytes are kept",
                    field.type_name,
                );
                field.default_value()
            }
        }
    }

    /// Whether the stored value could be decrypted, for the log; `None` if it is not encrypted.
    pub(super) fn opens(&self, field: &'static Field) -> Option<bool> {
        let (_, stored) = self.stored(field)?;
        field.secret.then(|| !is_locked(stored))
    }

    pub(super) fn value(&self, index: usize) -> &(dyn Any + Send + Sync) {
        let slot = &self.slots[index];
        match self.change_at(slot) {
            Some(change) => &*change.value,
            None => &**slot.loaded.get_or_init(|| self.load(index)),
        }
    }

    /// Returns the fields that were read but not changed, with their values.
    pub(super) fn read_values(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        let read = self.schema.fields.iter().zip(&self.slots);
        read.filter(|(_, slot)| slot.change == 0)
            .filter_map(|(field, slot)| Some((field, slot.loaded.get()?)))
    }

    fn change_at(&self, slot: &Slot) -> Option<&Change> {
        self.changes.get(usize::from(slot.change).checked_sub(1)?)
    }

    pub(super) fn change(&self, index: usize) -> Option<&Change> {
        self.change_at(&self.slots[index])
    }

    /// Returns the change of a field, starting one as `Touched` with the current value if there is
    /// none, and makes it the latest of this request.
    pub(super) fn begin(&mut self, index: usize) -> &mut Change {
        self.mark_dirty();
        let seq = self.backend.scope().next_seq();
        let at = match usize::from(self.slots[index].change) {
            0 => {
                let value = match self.slots[index].loaded.take() {
                    Some(value) => value,
                    None => self.load(index),
                };
                self.add_change(index, seq, value, How::Touched);
                self.changes.len() - 1
            }
            change => change - 1,
        };
        let change = &mut self.changes[at];
        change.seq = seq;
        change
    }

    /// Replaces a field's value, reusing its box if the type fits.
    pub(super) fn put<T: Send + Sync + 'static>(&mut self, index: usize, value: T, how: How) {
        self.mark_dirty();
        let seq = self.backend.scope().next_seq();
        let slot = &mut self.slots[index];
        if let Some(at) = usize::from(slot.change).checked_sub(1) {
            let change = &mut self.changes[at];
            refill(&mut change.value, value);
            change.seq = seq;
            // A sign-in is an event, which a later replacement does not take back.
            let event =
                self.schema.fields[index].principal && matches!(change.how, How::Set | How::Acts);
            if !(event && how == How::Touched) {
                change.how = how;
            }
            return;
        }
        let value: Value = match slot.loaded.take() {
            Some(mut old) => {
                refill(&mut old, value);
                old
            }
            None => Box::new(value),
        };
        self.add_change(index, seq, value, how);
    }

    fn add_change(&mut self, index: usize, seq: u64, value: Value, how: How) {
        let (before, seen) = (None, self.seen);
        let made = self.changes.len();
        if made == self.changes.capacity() {
            // Each field has at most one change.
            let others = self.schema.fields.len() - made;
            self.changes.reserve_exact(others.min(AT_FIRST.max(4 * made)));
        }
        self.changes.push(Change { index: index as u16, seq, value, how, before, seen });
        self.slots[index].change = self.changes.len() as u16;
    }

    pub(super) fn mark_dirty(&mut self) {
        if !self.dirty {
            self.dirty = true;
            self.backend.scope().became_dirty();
        }
    }

    /// Discards the changes and the values decoded for them.
    pub(super) fn forget_changes(&mut self) {
        for change in self.changes.drain(..) {
            self.slots[usize::from(change.index)] = Slot::default();
        }
        self.keyed.clear();
        self.events = Events::default();
        if std::mem::take(&mut self.dirty) {
            self.backend.scope().became_clean();
        }
    }

    /// Switches to another record, discarding all changes.
    pub(super) fn rebase(
        &mut self,
        record: Option<Arc<Record>>,
        fields: Fields,
        generation: u32,
        seen: u64,
    ) {
        self.forget_changes();
        self.seen = seen;
        self.slots.fill_with(Slot::default);
        self.record = record;
        self.projected = Some(fields);
        self.generation = generation;
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        for change in &self.changes {
            self.slots[usize::from(change.index)].change = 0;
        }
        std::mem::take(&mut self.changes)
    }

    /// Keeps a published value as the loaded one.
    pub(super) fn settle(&mut self, change: Change) {
        self.slots[usize::from(change.index)].loaded = OnceLock::from(change.value);
    }

    /// Resets every field except the `write_once` ones.
    pub(super) fn clear(&mut self) {
        for (index, field) in self.schema.fields.iter().enumerate() {
            if field.conflict != ConflictPolicy::WriteOnce {
                self.reset(index);
            }
        }
        self.keyed.clear();
    }

    /// Replaces a value by the default and removes it from the store.
    pub(super) fn reset(&mut self, index: usize) {
        let default = self.field(index).default_value();
        let change = self.begin(index);
        change.value = default;
        change.how = How::Reset;
    }

    /// Whether the field has an unpublished change.
    pub(super) fn changed(&self, index: usize) -> bool {
        self.change(index).is_some_and(|change| self.differs(change))
            || self.keyed.iter().any(|change| usize::from(change.index) == index)
    }

    /// The stored names of the fields with unpublished changes.
    pub(super) fn changed_fields(&self) -> Vec<&'static str> {
        let differing = self.changes.iter().filter(|change| self.differs(change));
        let mut indexes: Vec<u16> = differing.map(|change| change.index).collect();
        for change in &self.keyed {
            if !indexes.contains(&change.index) {
                indexes.push(change.index);
            }
        }
        indexes.into_iter().map(|index| self.field(usize::from(index)).name).collect()
    }

    /// Whether a change has any effect.
    pub(super) fn differs(&self, change: &Change) -> bool {
        let mut differs = false;
        // A value that does not encode counts as changed: the commit reports the error.
        self.ops_of(change, || self.backend.now(), |_| differs = true).is_err() || differs
    }

    /// Returns an independent copy of the value, made through the codec so that no `Clone` is
    /// needed.
    pub(super) fn copy_of(&self, index: usize) -> Value {
        let field = self.field(index);
        match self.change(index) {
            None => self.load(index),
            Some(change) => value::json(field, &change.value)
                .ok()
                .and_then(|json| (field.codec().decode)(&json).ok())
                .unwrap_or_else(|| field.default_value()),
        }
    }

    /// Returns every readable field as (stored name, JSON).
    pub(super) fn entries(&self) -> Result<Vec<(&'static str, String)>, SessionError> {
        let readable = |(_, field): &(usize, &Field)| {
            !field.secret && !matches!(field.kind, FieldKind::Flash | FieldKind::Nonce { .. })
        };
        let fields = self.schema.fields.iter().enumerate().filter(readable);
        fields
            .map(|(index, field)| {
                let mut json = Vec::new();
                field
                    .codec()
                    .encode_into(self.value(index), &mut json)
                    .map_err(|source| SessionError::Unencodable { field: field.name, source })?;
                Ok((field.name, String::from_utf8_lossy(&json).into_owned()))
            })
            .collect()
    }

    /// Returns the JSON of the principal as this handle sees it.
    pub(crate) fn principal(&self) -> Result<Option<String>, SessionError> {
        let Some(index) = self.schema.principal_index() else { return Ok(None) };
        let mut json = Vec::new();
        let field = self.field(index);
        field
            .codec()
            .encode_into(self.value(index), &mut json)
            .map_err(|source| SessionError::Unencodable { field: field.name, source })?;
        Ok((json != NULL).then(|| String::from_utf8_lossy(&json).into_owned()))
    }
}

fn refill<T: Send + Sync + 'static>(slot: &mut Value, value: T) {
    match slot.downcast_mut::<T>() {
        Some(place) => *place = value,
        None => *slot = Box::new(value),
    }
}
