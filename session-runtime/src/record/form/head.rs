//! The head: every entry has a fixed place, so that an engine can compare and replace it without
//! parsing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::text::{fixed, read_fixed};
use super::{DoesNotFit, InvalidForm};
use crate::clock::Timestamp;
use crate::record::{PatchLog, Versions};
use crate::token::PatchId;

pub(super) const VERSION: char = '1';

/// The range of an entry in the head.
type Place = std::ops::Range<usize>;

const KIND: usize = 1;
const LENGTH: Place = 2..9;
const BODY: Place = 9..14;
const EPOCH: Place = 14..24;
const REV: Place = 24..34;
const STAMP: Place = 34..44;
const EXPIRES: Place = 44..57;
const SCHEMAS: Place = 57..62;
pub(super) const PATCHES: Place = 62..94;
/// Only in a form whose base is stored separately.
const BASE: Place = 94..101;
const MARK: Place = 101..111;

/// The latest time that the head can represent: in the year 2286.
const LAST_TIME: u64 = 9_999_999_999_999;
/// The characters of one patch id.
const PATCH: usize = 8;
/// Stands for "no patch id"; `.` is not a base64 character.
const NO_PATCH: [u8; PATCH] = *b"........";
/// The schema stamp if all versions are 1.
pub(crate) const NO_SCHEMAS: [u8; 5] = *b".....";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The base follows in the same value.
    Whole,
    /// The base is a separate value.
    Apart,
    Tombstone,
}

impl Kind {
    const fn letter(self) -> u8 {
        match self {
            Self::Whole => b'w',
            Self::Apart => b'a',
            Self::Tombstone => b't',
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) length: usize,
    /// The end of head and meta.
    pub(crate) body: usize,
    pub(crate) epoch: u64,
    pub(crate) rev: u64,
    pub(crate) stamp: u64,
    pub(crate) expires: Timestamp,
    pub(crate) schemas: [u8; 5],
    pub(crate) patches: PatchLog,
    /// The base, if it is stored separately.
    pub(crate) apart: Option<ApartBase>,
}

/// The head's entries about a base that is stored separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApartBase {
    /// Its length, including the mark.
    pub(crate) length: usize,
    /// The stamp of the write that created it.
    pub(crate) mark: u64,
}

impl Kind {
    pub(super) const fn head_len(self) -> usize {
        match self {
            Self::Whole | Self::Tombstone => PATCHES.end,
            Self::Apart => MARK.end,
        }
    }
}

impl Head {
    /// Whether the fields of `value` are the same [as they were read](super::fields_as_read).
    pub(crate) fn has_fields(value: &[u8], as_read: &[u8]) -> bool {
        value.get(PATCHES.start..).is_some_and(|it| it.starts_with(as_read))
    }

    /// Returns the length of the head in bytes.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) const fn len(&self) -> usize {
        self.kind.head_len()
    }

    /// Writes the head to the front of `out`, which holds the whole value.
    pub(super) fn write(&self, out: &mut [u8]) -> Result<(), DoesNotFit> {
        out[0] = VERSION as u8;
        out[KIND] = self.kind.letter();
        let mut put = |place: Place, number: u64| match fixed(&mut out[place], number) {
            true => Ok(()),
            false => Err(DoesNotFit),
        };
        put(LENGTH, self.length as u64)?;
        put(BODY, self.body as u64)?;
        put(EPOCH, self.epoch)?;
        put(REV, self.rev)?;
        put(STAMP, self.stamp)?;
        put(EXPIRES, self.expires.as_millis().min(LAST_TIME))?;
        if let Some(apart) = self.apart {
            put(BASE, apart.length as u64)?;
            put(MARK, apart.mark)?;
        }
        out[SCHEMAS].copy_from_slice(&self.schemas);
        let (ids, _) = out[PATCHES].as_chunks_mut::<PATCH>();
        ids.fill(NO_PATCH);
        let known = self.patches.iter().count();
        for (place, id) in ids[PatchLog::LEN - known..].iter_mut().zip(self.patches.iter()) {
            *place = patch_text(id);
        }
        Ok(())
    }

    /// Reads the head at the front of a value.
    ///
    /// # Errors
    ///
    /// If there is none, or one of a newer version.
    pub(crate) fn read(value: &[u8]) -> Result<Self, InvalidForm> {
        match value.first() {
            Some(b'1') => {}
            Some(version @ b'2'..=b'9') => return Err(InvalidForm::Newer(char::from(*version))),
            _ => return Err(InvalidForm::Malformed("version")),
        }
        Self::parse(value).ok_or(InvalidForm::Malformed("head"))
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let number = |place: Place| read_fixed(value.get(place)?);
        let size = |place: Place| usize::try_from(number(place)?).ok();
        let (ids, _) = value.get(PATCHES)?.as_chunks::<PATCH>();
        let written = ids.iter().skip_while(|id| **id == NO_PATCH);
        let kind = match value.get(KIND)? {
            b'w' => Kind::Whole,
            b'a' => Kind::Apart,
            b't' => Kind::Tombstone,
            _ => return None,
        };
        let apart = match kind {
            Kind::Apart => Some(ApartBase { length: size(BASE)?, mark: number(MARK)? }),
            Kind::Whole | Kind::Tombstone => None,
        };
        Some(Self {
            kind,
            length: size(LENGTH)?,
            body: size(BODY)?,
            epoch: number(EPOCH)?,
            rev: number(REV)?,
            stamp: number(STAMP)?,
            expires: Timestamp::from_millis(number(EXPIRES)?),
            schemas: value.get(SCHEMAS)?.try_into().ok()?,
            patches: written.map(patch_of).collect::<Option<PatchLog>>()?,
            apart,
        })
    }
}

/// Returns a patch id in the format of the head.
pub(crate) fn patch_text(id: PatchId) -> [u8; PATCH] {
    let mut text = NO_PATCH;
    // Six bytes are exactly eight characters, so encoding cannot fail.
    let _ = URL_SAFE_NO_PAD.encode_slice(id.to_bytes(), &mut text);
    text
}

fn patch_of(text: &[u8; PATCH]) -> Option<PatchId> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(PatchId::from_bytes(bytes))
}

/// Returns the stamp of the schema versions in the head: equal for equal versions.
pub(crate) fn schemas_of(versions: &Versions) -> [u8; 5] {
    if versions.iter().all(|(_, version)| version == 1) {
        return NO_SCHEMAS;
    }
    let mut hash = Sha256::new();
    for (namespace, version) in versions.iter().filter(|(_, version)| *version != 1) {
        hash.update((namespace.len() as u64).to_be_bytes());
        hash.update(namespace);
        hash.update(version.to_be_bytes());
    }
    let mut text = NO_SCHEMAS;
    let all = URL_SAFE_NO_PAD.encode(hash.finalize());
    text.copy_from_slice(&all.as_bytes()[..NO_SCHEMAS.len()]);
    text
}
