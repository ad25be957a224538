//! The statements, for tables of any name.

/// All statements, built once per store. `layout` describes the tables.
///
/// Statements about a principal use the index of principals, oldest session first, and have a
/// limit, so that their cost does not grow with the number of sessions.
pub(super) struct Sql {
    /// Selects the form of `?1`.
    pub(super) select: String,
    /// Inserts a row.
    pub(super) insert: String,
    /// Sets the form of row `?1` and nothing else.
    pub(super) update_form: String,
    /// Same, if the first `?4` bytes of its form are `?3` and it expires after `?5`.
    pub(super) change: String,
    /// Same as `update_form`, with another expiry time.
    pub(super) update_expiry: String,
    /// Same as `update_form`, and sets the indexed columns too: the principal may be another one.
    pub(super) update: String,
    /// Turns the row `?1` into the tombstone `?2` of a session that ended at `?3`.
    pub(super) entomb: String,
    pub(super) delete: String,

    /// Counts the sessions of `?1` other than `?2`, including expired ones, up to `?3`.
    pub(super) count_others: String,
    /// Selects the places of the first `?6` of them after a place.
    pub(super) places_of_others: String,
    /// Removes `?1`, which has expired, from the index of principals.
    pub(super) disown: String,
    /// Selects the first `?6` sessions of `?1` after the place `?2` to `?5`.
    pub(super) page_of: String,

    pub(super) scan: String,
    pub(super) count: String,
    pub(super) sweep: String,
    /// Whether anything is due: sessions that ended by `?1`, or revocations before `?2`.
    pub(super) is_due: String,

    pub(super) revoke: String,
    pub(super) revoked: String,
    pub(super) forget: String,
}

/// The order of the index of principals.
const PLACE: &str = "authenticated, created, expires, id";

impl Sql {
    /// Builds the statements for the tables whose names begin with `table`. The name needs quoting
    /// only where it is a keyword of SQL.
    pub(super) fn new(table: &str) -> Self {
        let theirs = format!("FROM \"{table}\" WHERE principal = ?1");
        let others = format!("{theirs} AND id <> ?2");
        let revocation = format!("\"{table}_revocation\"");
        Self {
            select: format!("SELECT form FROM \"{table}\" WHERE id = ?1"),
            insert: format!(
                "INSERT OR REPLACE INTO \"{table}\" \
                 (id, form, expires, principal, authenticated, created) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
            ),
            update_form: format!("UPDATE \"{table}\" SET form = ?2 WHERE id = ?1"),
            change: format!(
                "UPDATE \"{table}\" SET form = ?2 \
                 WHERE id = ?1 AND substr(form, 1, ?4) = ?3 AND expires > ?5"
            ),
            update_expiry: format!("UPDATE \"{table}\" SET form = ?2, expires = ?3 WHERE id = ?1"),
            update: format!(
                "UPDATE \"{table}\" SET form = ?2, expires = ?3, principal = ?4, \
                 authenticated = ?5, created = ?6 WHERE id = ?1"
            ),
            entomb: format!(
                "UPDATE \"{table}\" SET form = ?2, expires = ?3, principal = NULL WHERE id = ?1"
            ),
            delete: format!("DELETE FROM \"{table}\" WHERE id = ?1"),

            count_others: format!("SELECT count(*) FROM (SELECT 1 {others} LIMIT ?3)"),
            places_of_others: format!(
                "SELECT {PLACE} {theirs} AND id <> ?7 AND ({PLACE}) > (?2, ?3, ?4, ?5) \
                 ORDER BY {PLACE} LIMIT ?6"
            ),
            disown: format!("UPDATE \"{table}\" SET principal = NULL WHERE id = ?1"),
            page_of: format!(
                "SELECT {PLACE}, form {theirs} AND ({PLACE}) > (?2, ?3, ?4, ?5) \
                 ORDER BY {PLACE} LIMIT ?6"
            ),

            scan: format!(
                "SELECT id, form FROM \"{table}\" WHERE id > ?1 AND expires > ?2 \
                 ORDER BY id LIMIT ?3"
            ),
            count: format!("SELECT count(*) FROM \"{table}\" WHERE expires > ?1"),
            sweep: format!(
                "DELETE FROM \"{table}\" WHERE id IN \
                 (SELECT id FROM \"{table}\" WHERE expires <= ?1 ORDER BY expires LIMIT ?2) \
                 RETURNING substr(form, 2, 1) = x'74'"
            ),
            is_due: format!(
                "SELECT EXISTS (SELECT 1 FROM \"{table}\" WHERE expires <= ?1) \
                 OR EXISTS (SELECT 1 FROM {revocation} WHERE at < ?2)"
            ),

            revoke: format!(
                "INSERT INTO {revocation} (principal, at) VALUES (?1, ?2) \
                 ON CONFLICT DO UPDATE SET at = max(at, excluded.at)"
            ),
            revoked: format!("SELECT at FROM {revocation} WHERE principal = ?1"),
            forget: format!(
                "DELETE FROM {revocation} WHERE principal IN \
                 (SELECT principal FROM {revocation} WHERE at < ?1 LIMIT ?2)"
            ),
        }
    }
}
