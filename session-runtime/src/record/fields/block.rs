//! One immutable block of fields, ordered by name.
//!
//! Layout of a block: `count: u32`, then per entry the offset of its text
//! (`u32`), then the entries ordered by name: `name length: u32`,
//! `value length: u32` (all ones: removed), name, value. Little endian.

use std::cell::RefCell;
use std::sync::Arc;

/// What a thread keeps of its buffer after a large record.
const KEPT_SCRATCH: usize = 64 * 1024;

const COUNT: usize = 4;
const OFFSET: usize = 4;
const HEAD: usize = 4 + 4;
const REMOVED: u32 = u32::MAX;

#[derive(Clone)]
pub(super) struct Block(Arc<[u8]>);

pub(super) type Entry<'b> = (&'b str, Option<&'b [u8]>);

impl Block {
    /// Builds a block from entries ordered by name; `None` when there are none.
    /// Removed entries are kept only where a base below them needs hiding.
    pub(super) fn build<'e>(
        entries: impl Iterator<Item = Entry<'e>>,
        keep_removed: bool,
    ) -> Option<Self> {
        thread_local! {
            static SCRATCH: RefCell<(Vec<u8>, Vec<u32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
        }
        SCRATCH.with_borrow_mut(|(text, offsets)| {
            text.clear();
            offsets.clear();
            for (name, value) in entries {
                if value.is_none() && !keep_removed {
                    continue;
                }
                offsets.push(text.len() as u32);
                text.extend((name.len() as u32).to_le_bytes());
                text.extend(value.map_or(REMOVED, |v| v.len() as u32).to_le_bytes());
                text.extend(name.as_bytes());
                text.extend(value.unwrap_or_default());
            }
            if offsets.is_empty() {
                return None;
            }
            let start = COUNT + OFFSET * offsets.len();
            let entries = text.len();
            text.extend((offsets.len() as u32).to_le_bytes());
            for offset in offsets.iter() {
                text.extend((offset + start as u32).to_le_bytes());
            }
            text.rotate_left(entries);
            let block = Self(Arc::from(text.as_slice()));
            text.clear();
            text.shrink_to(KEPT_SCRATCH);
            Some(block)
        })
    }

    pub(super) fn count(&self) -> usize {
        self.u32_at(0) as usize
    }

    pub(super) fn byte_len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn u32_at(&self, at: usize) -> u32 {
        self.0.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn name_at(&self, index: usize) -> &[u8] {
        let at = self.u32_at(COUNT + OFFSET * index) as usize;
        let len = self.u32_at(at) as usize;
        &self.0[at + HEAD..at + HEAD + len]
    }

    fn entry(&self, index: usize) -> Entry<'_> {
        let name = self.name_at(index);
        let at = self.u32_at(COUNT + OFFSET * index) as usize;
        let start = at + HEAD + name.len();
        let value = match self.u32_at(at + 4) {
            REMOVED => None,
            len => Some(&self.0[start..start + len as usize]),
        };
        (std::str::from_utf8(name).unwrap_or_default(), value)
    }

    /// `None`: not in this block. `Some(None)`: removed by this block.
    pub(super) fn get(&self, name: &str) -> Option<Option<&[u8]>> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name_at(middle).cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.entry(middle).1),
            }
        }
        None
    }

    pub(super) fn iter(&self) -> BlockIter<'_> {
        BlockIter { block: self, index: 0 }
    }
}

pub(super) struct BlockIter<'b> {
    block: &'b Block,
    index: usize,
}

impl<'b> Iterator for BlockIter<'b> {
    type Item = Entry<'b>;

    fn next(&mut self) -> Option<Entry<'b>> {
        let entry = (self.index < self.block.count()).then(|| self.block.entry(self.index))?;
        self.index += 1;
        Some(entry)
    }
}

/// Two ordered streams of entries as one; the overlay hides the base.
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
