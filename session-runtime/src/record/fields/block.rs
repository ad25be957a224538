//! An immutable block of fields, ordered by name.
//!
//! Layout of a block: the width of its numbers (1, 2 or 4, the smallest in which every number
//! fits), the number of entries, a place per entry, then the texts of the entries, each its name
//! and its value. A place is two little-endian numbers: the end of the entry's text, counted from
//! the first text, and twice the length of its name, plus one if the entry is removed. A small
//! session is hardly larger than its texts.

use std::cell::RefCell;
use std::sync::Arc;

/// How much of its buffer a thread keeps after a large record.
const KEPT_SCRATCH: usize = 64 * 1024;

#[derive(Clone)]
pub(super) struct Block(Arc<[u8]>);

pub(super) type Entry<'b> = (&'b str, Option<&'b [u8]>);

/// The places of the entries of a block, and the header before them.
#[derive(Default)]
struct Places(Vec<[usize; 2]>);

impl Places {
    /// Returns the smallest width in which every number fits. Texts longer than 4 GiB are not
    /// supported.
    fn width(&self) -> usize {
        let ends = self.0.last().map_or(0, |[end, _]| *end);
        let names = self.0.iter().map(|[_, name]| *name).max().unwrap_or_default();
        let largest = ends.max(names).max(self.0.len());
        [1, 2].into_iter().find(|width| largest >> (8 * width) == 0).unwrap_or(4)
    }

    /// Writes the bytes that precede the texts.
    fn write(&self, out: &mut Vec<u8>) {
        let (width, count) = (self.width(), self.0.len());
        out.push(width as u8);
        let numbers = std::iter::once(&count).chain(self.0.as_flattened());
        match width {
            1 => out.extend(numbers.map(|number| *number as u8)),
            2 => numbers.for_each(|number| out.extend((*number as u16).to_le_bytes())),
            _ => numbers.for_each(|number| out.extend((*number as u32).to_le_bytes())),
        }
    }
}

impl Block {
    /// Builds a block from entries ordered by name; `None` if there are none. Removed entries are
    /// kept only if they have to hide entries of a base below them.
    pub(super) fn build<'e>(
        entries: impl Iterator<Item = Entry<'e>>,
        keep_removed: bool,
    ) -> Option<Self> {
        thread_local! {
            static SCRATCH: RefCell<(Vec<u8>, Places)> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(|(text, places)| {
            text.clear();
            places.0.clear();
            for (name, value) in entries {
                if value.is_none() && !keep_removed {
                    continue;
                }
                text.extend(name.as_bytes());
                text.extend(value.unwrap_or_default());
                places.0.push([text.len(), 2 * name.len() + usize::from(value.is_none())]);
            }
            if places.0.is_empty() {
                return None;
            }
            let texts = text.len();
            places.write(text);
            text.rotate_left(texts);
            let block = Self(Arc::from(text.as_slice()));
            text.clear();
            text.shrink_to(KEPT_SCRATCH);
            Some(block)
        })
    }

    pub(super) fn byte_len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn entries(&self) -> Entries<'_> {
        let width = usize::from(self.0[0]);
        let all = Entries { width, places: &self.0[1..], texts: &[], count: 0 };
        let count = all.number(0);
        let (places, texts) = all.places.split_at(width * (1 + 2 * count));
        Entries { width, places, texts, count }
    }

    /// Returns the entry: `None` if it is not in this block, `Some(None)` if this block removes it.
    pub(super) fn get(&self, name: &str) -> Option<Option<&[u8]>> {
        let entries = self.entries();
        let (mut low, mut high) = (0, entries.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, value) = entries.parts(middle);
            match found.cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(value),
            }
        }
        None
    }

    pub(super) fn iter(&self) -> BlockIter<'_> {
        BlockIter { entries: self.entries(), index: 0 }
    }
}

/// The parts of a block.
struct Entries<'b> {
    width: usize,
    /// The number of entries, and their places.
    places: &'b [u8],
    texts: &'b [u8],
    count: usize,
}

impl<'b> Entries<'b> {
    fn number(&self, index: usize) -> usize {
        match self.width {
            1 => usize::from(self.places[index]),
            2 => {
                let bytes = self.places[2 * index..].first_chunk();
                bytes.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)))
            }
            _ => {
                let bytes = self.places[4 * index..].first_chunk();
                bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
            }
        }
    }

    /// Returns name and value; no value if the entry is removed.
    fn parts(&self, index: usize) -> (&'b [u8], Option<&'b [u8]>) {
        let begin = match index {
            0 => 0,
            _ => self.number(2 * index - 1),
        };
        let text = &self.texts[begin..self.number(2 * index + 1)];
        let length = self.number(2 * index + 2);
        let (name, value) = text.split_at(length / 2);
        (name, length.is_multiple_of(2).then_some(value))
    }
}

pub(super) struct BlockIter<'b> {
    entries: Entries<'b>,
    index: usize,
}

impl<'b> Iterator for BlockIter<'b> {
    type Item = Entry<'b>;

    fn next(&mut self) -> Option<Entry<'b>> {
        if self.index == self.entries.count {
            return None;
        }
        let (name, value) = self.entries.parts(self.index);
        self.index += 1;
        Some((std::str::from_utf8(name).unwrap_or_default(), value))
    }
}

/// Merges two ordered streams of entries; the overlay hides the base.
pub(super) struct Merged<B: Iterator, O: Iterator> {
    base: std::iter::Peekable<B>,
    overlay: std::iter::Peekable<O>,
}

impl<'b>
    Merged<
        std::iter::Flatten<std::option::IntoIter<BlockIter<'b>>>,
        std::iter::Flatten<std::option::IntoIter<BlockIter<'b>>>,
    >
{
    pub(super) fn new(base: Option<&'b Block>, overlay: Option<&'b Block>) -> Self {
        Self {
            base: base.map(Block::iter).into_iter().flatten().peekable(),
            overlay: overlay.map(Block::iter).into_iter().flatten().peekable(),
        }
    }
}

impl<'b, B: Iterator<Item = Entry<'b>>, O: Iterator<Item = Entry<'b>>> Merged<B, O> {
    pub(super) fn of(base: B, overlay: O) -> Self {
        Self { base: base.peekable(), overlay: overlay.peekable() }
    }
}

impl<'b, B: Iterator<Item = Entry<'b>>, O: Iterator<Item = Entry<'b>>> Iterator for Merged<B, O> {
    type Item = Entry<'b>;

    fn next(&mut self) -> Option<Entry<'b>> {
        match (self.base.peek(), self.overlay.peek()) {
            (Some((below, _)), Some((above, _))) => match below.cmp(above) {
                std::cmp::Ordering::Less => self.base.next(),
                std::cmp::Ordering::Greater => self.overlay.next(),
                std::cmp::Ordering::Equal => {
                    self.base.next();
                    self.overlay.next()
                }
            },
            (Some(_), None) => self.base.next(),
            (None, _) => self.overlay.next(),
        }
    }
}
