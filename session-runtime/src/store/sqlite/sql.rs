//! The statements, on tables of any name.

/// All statements, made once per store. `layout` describes the tables.
///
/// Statements about a principal use the index of principals, the oldest session
/// first, and have a limit: their cost does not grow with the number of sessions.
pub(super) struct Sql {
    /// The form of `?1`.
    pub(super) select: String,
    /// A new row.
    pub(super) insert: String,
    /// The row `?1` gets a form, and nothing else changes.
    pub(super) update_form: String,
    /// The same, if its form begins with `?3`, of `?4` bytes, and it ends after `?5`.
    pub(super) change: String,
    /// The same, and it ends at another time.
    pub(super) update_expiry: String,
    /// The same, and its principal may be another one.
    pub(super) update: String,
    /// The row `?1` becomes the tombstone `?2` of a session that ended at `?3`.
    pub(super) entomb: String,
    pub(super) delete: String,

    /// How many sessions of `?1` there are beside `?2`, expired ones included, and
    /// at most `?3`.
    pub(super) count_others: String,
    /// The first `?6` of them after a place, their places alone.
    pub(super) places_of_others: String,
    /// Takes `?1`, which has expired, out of the index of principals.
    pub(super) disown: String,
    /// The first `?6` sessions of `?1` after a place: `?2` to `?5`.
    pub(super) page_of: String,

    pub(super) scan: String,
    pub(super) count: String,
    pub(super) sweep: String,
    /// Whether something is due: sessions that ended by `?1`, or revocations before
    /// `?2`.
    pub(super) is_due: String,

    pub(super) revoke: String,
    pub(super) revoked: String,
    pub(super) forget: String,
}

/// The order of the index of principals.
const PLACE: &str = "authenticated, created, expires, id";

impl Sql {
    /// The statements for the tables whose names begin with `table`, which needs no
    /// quoting but where it is a word of SQL.
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
