//! The statements, built once per store.

use crate::clock::millis;
use crate::record::COMMIT_LEEWAY;

/// All statements. The comments list the arguments in order; `now` is the time of a frozen clock,
/// or NULL for the server's.
pub(in crate::store) struct Sql {
    /// The tables, as statements name them.
    pub(super) session: String,
    pub(super) revocation: String,

    /// Resets a connection whose state is unknown. `None` if there are no such connections.
    pub(in crate::store) reset: Option<String>,
    /// Begins a transaction.
    pub(in crate::store) begin: String,
    /// Selects the server's time.
    pub(super) clock: String,

    /// Selects form, base and time; now, id.
    pub(super) select: String,
    /// Locks and selects form and base, with the time after the lock, or NULL; id.
    pub(super) lock: String,
    /// Inserts unless the row exists; id, form, base, expires, due, principal, place.
    pub(super) insert: String,
    /// id
    pub(super) delete: String,

    /// Changes a session whose head has not changed; form, \[base\], id, its length, the head, now.
    pub(super) change: ByBase,
    /// Sets form and expiry time, not base or `due`; form, expires, id.
    pub(super) settle: String,
    /// form, \[base\], id
    pub(super) replace: ByBase,
    /// form, \[base\], expires, due, principal, place, id
    pub(super) replace_all: ByBase,

    /// Writes one tombstone; form, expires, due, id.
    pub(super) entomb: String,
    /// Writes [`BATCH`] tombstones; an id and a form each, expires, due, the ids.
    pub(super) entomb_batch: String,
    /// Removes a session from the index of principals; id.
    pub(super) disown: String,

    /// Holds a principal until the end of the transaction; principal.
    pub(super) hold: String,
    /// Locks and selects place and form, ordered by place; principal, the last place, limit.
    pub(super) lock_page: String,
    /// Counts the other sessions, including expired ones; principal, id, limit.
    pub(super) count_others: String,
    /// Selects place and expiry time of the oldest others; principal, after which place, id, limit.
    pub(super) oldest_others: String,
    /// Removes expired sessions from the index; principal, the last place, time.
    pub(super) disown_expired: String,
    /// Selects place, form, base and time; now, principal, after which place, limit.
    pub(super) list: String,
    /// Selects id, form and base; after which id, now, limit.
    pub(super) scan: String,
    /// now
    pub(super) count: String,

    /// Locks and selects id, kind and expiry time, skipping locked rows; due, limit.
    pub(super) due: String,
    /// [`BATCH`] ids
    pub(super) delete_batch: String,
    /// [`BATCH`] ids
    pub(super) postpone_batch: String,
    /// Records a revocation; principal, time.
    pub(super) mark: String,
    /// Selects when all sessions were revoked; principal.
    pub(super) revoked: String,
    /// Locks and selects principals, skipping locked rows; before when, limit.
    pub(super) old_marks: String,
    /// [`BATCH`] principals
    pub(super) forget_batch: String,
}

/// How many rows a statement with a list changes. A shorter list is padded by repeating items.
pub(super) const BATCH: usize = 32;

/// A statement that keeps the base, and one that writes it.
pub(super) struct ByBase {
    pub(super) kept: String,
    pub(super) new: String,
}

/// The SQL fragments of a kind of server.
pub(in crate::store) struct Words<'w> {
    pub(in crate::store) session: &'w str,
    pub(in crate::store) revocation: &'w str,
    pub(in crate::store) reset: Option<String>,
    pub(in crate::store) begin: String,
    /// The server's time in milliseconds.
    pub(in crate::store) clock: &'w str,
    /// A parameter, or the server's time if it is NULL.
    pub(in crate::store) now: String,
    /// The function that returns a part of a value, counted from 1.
    pub(in crate::store) substring: &'w str,
    /// A parameter as the length of that part.
    pub(in crate::store) length: &'w str,
    /// The suffix of an INSERT that does nothing if the row exists.
    pub(in crate::store) or_nothing: &'w str,
    /// Locks and selects form and base, with the time after the lock; NULL if that takes another
    /// statement; id.
    pub(in crate::store) lock: String,
    pub(in crate::store) hold: String,
    /// Records a revocation unless a later one is stored; principal, time.
    pub(in crate::store) mark: String,
}

impl Sql {
    /// Builds the statements. `finish` replaces the `?` of the templates by the server's syntax for
    /// parameters.
    pub(in crate::store) fn new(words: Words<'_>, finish: impl Fn(String) -> String) -> Self {
        let Words { session, revocation, clock, substring, length, .. } = words;
        let leeway = millis(COMMIT_LEEWAY);
        // As a subquery, so that the time is evaluated once and not per row.
        let now = format!("(SELECT {})", words.now);
        let as_read = format!("WHERE id = ? AND {substring}(form, 1, {length}) = ?");
        let theirs = format!("FROM {session} WHERE principal = ?");
        let batch = vec!["?"; BATCH].join(", ");
        let forms = "WHEN ? THEN ? ".repeat(BATCH);
        let unowned = "principal = NULL, place = NULL";
        let ended = format!("base = NULL, expires = ?, due = ?, {unowned}");
        let by_base = |rest: &str| ByBase {
            kept: finish(format!("UPDATE {session} SET form = ?{rest}")),
            new: finish(format!("UPDATE {session} SET form = ?, base = ?{rest}")),
        };
        Self {
            reset: words.reset,
            begin: words.begin,
            clock: format!("SELECT {clock}"),

            select: finish(format!("SELECT form, base, {now} FROM {session} WHERE id = ?")),
            lock: finish(words.lock),
            insert: finish(format!(
                "INSERT INTO {session} (id, form, base, expires, due, principal, place) \
                 VALUES (?, ?, ?, ?, ?, ?, ?){}",
                words.or_nothing
            )),
            delete: finish(format!("DELETE FROM {session} WHERE id = ?")),

            change: by_base(&format!(" {as_read} AND expires + {leeway} > {now}")),
            settle: finish(format!("UPDATE {session} SET form = ?, expires = ? WHERE id = ?")),
            replace: by_base(" WHERE id = ?"),
            replace_all: by_base(", expires = ?, due = ?, principal = ?, place = ? WHERE id = ?"),

            entomb: finish(format!("UPDATE {session} SET form = ?, {ended} WHERE id = ?")),
            entomb_batch: finish(format!(
                "UPDATE {session} SET form = CASE id {forms}ELSE form END, {ended} \
                 WHERE id IN ({batch})"
            )),
            disown: finish(format!("UPDATE {session} SET {unowned} WHERE id = ?")),

            hold: finish(words.hold),
            lock_page: finish(format!(
                "SELECT place, form {theirs} AND place <= ? ORDER BY place LIMIT ? FOR UPDATE"
            )),
            count_others: finish(format!(
                "SELECT count(*) FROM (SELECT 1 {theirs} AND id <> ? LIMIT ?) others"
            )),
            oldest_others: finish(format!(
                "SELECT place, expires {theirs} AND place > ? AND id <> ? ORDER BY place LIMIT ?"
            )),
            disown_expired: finish(format!(
                "UPDATE {session} SET {unowned} WHERE principal = ? AND place <= ? AND expires <= ?"
            )),
            list: finish(format!(
                "SELECT place, form, base, {now} {theirs} AND place > ? ORDER BY place LIMIT ?"
            )),
            scan: finish(format!(
                "SELECT id, form, base FROM {session} WHERE id > ? AND expires > {now} \
                 ORDER BY id LIMIT ?"
            )),
            count: finish(format!("SELECT count(*) FROM {session} WHERE expires > {now}")),

            due: finish(format!(
                "SELECT id, {substring}(form, 2, 1), expires FROM {session} WHERE due <= ? \
                 ORDER BY due LIMIT ? FOR UPDATE SKIP LOCKED"
            )),
            delete_batch: finish(format!("DELETE FROM {session} WHERE id IN ({batch})")),
            postpone_batch: finish(format!(
                "UPDATE {session} SET due = expires WHERE id IN ({batch})"
            )),
            mark: finish(words.mark),
            revoked: finish(format!("SELECT at FROM {revocation} WHERE principal = ?")),
            old_marks: finish(format!(
                "SELECT principal FROM {revocation} WHERE at < ? ORDER BY at LIMIT ? \
                 FOR UPDATE SKIP LOCKED"
            )),
            forget_batch: finish(format!("DELETE FROM {revocation} WHERE principal IN ({batch})")),

            session: session.to_owned(),
            revocation: revocation.to_owned(),
        }
    }
}
