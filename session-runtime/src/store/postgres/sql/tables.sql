-- The tables of PostgresStore. Idempotent: what is there stays.
--
-- Times are milliseconds since 1970, lengths of time milliseconds. 64-bit
-- numbers without a sign (epoch, rev, patch ids) are stored as the bigint of
-- the same bits. COLLATE "C": ids, names and principals are compared byte for
-- byte, whatever the database's language.
--
-- fillfactor: every change of a session rewrites its row. With room left on
-- the page, and no indexed column changed, the new version stays there (a HOT
-- update): indexes are not touched and the old version is reclaimed by the
-- next visitor of the page, without waiting for a vacuum.
-- That is why nothing but `due` is indexed of what decides when a session ends:
-- a visit moves `expires`, and leaves `due`, which is never later, behind. The
-- sweep looks at what is due, and moves `due` where the session lives on.
-- autovacuum_*: rows come and go all day; 2 % dead ones are enough to begin.
CREATE TABLE IF NOT EXISTS {t:session} (
    id              text   COLLATE "C" NOT NULL,
    secret          bytea  NOT NULL,
    secret_since    bigint NOT NULL,
    next_secret     bytea,
    next_nonce      bytea,
    previous_secret bytea,
    previous_at     bigint,
    epoch           bigint NOT NULL,
    rev             bigint NOT NULL,
    created         bigint NOT NULL,
    last_seen       bigint NOT NULL,
    authenticated   bigint,
    idle            bigint,
    absolute        bigint,
    expires         bigint NOT NULL,
    due             bigint NOT NULL,
    remember        bigint,
    principal       text   COLLATE "C",
    patches         bigint[] NOT NULL,
    retired         bytea[]  NOT NULL,
    retired_at      bigint[] NOT NULL,
    versions        jsonb,
    realm           text   COLLATE "C",
    last_principal  bytea,
    CONSTRAINT {i:session_key} PRIMARY KEY (id)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX IF NOT EXISTS {i:session_due} ON {t:session} (due);
CREATE INDEX IF NOT EXISTS {i:session_principal} ON {t:session} (principal, id) WHERE principal IS NOT NULL;
CREATE TABLE IF NOT EXISTS {t:session_field} (
    session_id text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    value      text COLLATE "C",
    raw        bytea,
    CONSTRAINT {i:session_field_key} PRIMARY KEY (session_id, name),
    CONSTRAINT {i:session_field_one} CHECK ((value IS NULL) <> (raw IS NULL))
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE TABLE IF NOT EXISTS {t:session_tombstone} (
    id     text   COLLATE "C" NOT NULL,
    secret bytea  NOT NULL,
    until  bigint NOT NULL,
    elsewhere boolean NOT NULL,
    ended_at bigint NOT NULL,
    CONSTRAINT {i:session_tombstone_key} PRIMARY KEY (id, secret)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX IF NOT EXISTS {i:session_tombstone_until} ON {t:session_tombstone} (until);
CREATE TABLE IF NOT EXISTS {t:session_revocation} (
    principal text   COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    CONSTRAINT {i:session_revocation_key} PRIMARY KEY (principal)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX IF NOT EXISTS {i:session_revocation_at} ON {t:session_revocation} (at);
CREATE TABLE IF NOT EXISTS {t:session_layout} (
    one     boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
    version integer NOT NULL
);
