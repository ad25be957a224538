-- What the other functions are made of. The number at the end of each name is
-- the version of the layout: programs of two releases find each their own.

CREATE OR REPLACE FUNCTION {f:now}(p_now bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $fn$
    -- Not now(): that is the beginning of the statement, before it waited.
    SELECT coalesce(p_now, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$fn$;

CREATE OR REPLACE FUNCTION {f:after}(p_at bigint, p_ms bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $fn$
    SELECT CASE WHEN p_at > 9223372036854775807 - p_ms THEN 9223372036854775807 ELSE p_at + p_ms END
$fn$;

-- Meta::expires_at; 34560000000 ms are the 400 days of MAX_LIFETIME.
CREATE OR REPLACE FUNCTION {f:expires}(p_seen bigint, p_idle bigint, p_absolute bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $fn$
    SELECT least({f:after}(p_seen, 34560000000), {f:after}(p_seen, p_idle), p_absolute)
$fn$;

-- Before anything is written: every statement of a function must see what was
-- committed while the one before it waited for a lock, which only READ
-- COMMITTED does; and no lock is waited for longer than the caller waits.
CREATE OR REPLACE FUNCTION {f:begin}(p_wait integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $fn$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'sessions need READ COMMITTED' USING ERRCODE = 'SR001';
    END IF;
    PERFORM set_config('lock_timeout', p_wait::text, true);
END $fn$;

-- One after the other for whoever counts or ends all sessions of a principal.
-- In one order for all, so that two moves between two principals cannot wait
-- for each other.
CREATE OR REPLACE FUNCTION {f:principals}(p_one text, p_other text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_one   bigint := hashtextextended('{t:session}' || p_one, 0);
    v_other bigint := hashtextextended('{t:session}' || p_other, 0);
BEGIN
    PERFORM pg_advisory_xact_lock(least(v_one, v_other));
    IF v_one <> v_other THEN
        PERFORM pg_advisory_xact_lock(greatest(v_one, v_other));
    END IF;
END $fn$;

-- What every function answers with: a code, and a record or parts of one.
DO $do$ BEGIN
    IF to_regtype('{f:answer}') IS NULL THEN
        CREATE TYPE {f:answer} AS (
            code integer, field text, id text, secret bytea, secret_since bigint,
            next_secret bytea, next_nonce bytea, previous_secret bytea, previous_at bigint,
            epoch bigint, rev bigint, created bigint, last_seen bigint, authenticated bigint,
            idle bigint, absolute bigint, expires bigint, remember bigint, principal text,
            patches bigint[], retired bytea[], retired_at bigint[], versions text,
            realm text, last_principal bytea, elsewhere boolean, ended_at bigint,
            names text[], texts text[], raws bytea[]);
    END IF;
END $do$;

-- A record with its fields: one statement, and so one snapshot.
CREATE OR REPLACE FUNCTION {f:read}(p_id text) RETURNS SETOF {f:answer}
LANGUAGE sql STABLE ROWS 1 AS $fn$
    SELECT 1, NULL::text, s.id, s.secret, s.secret_since, s.next_secret, s.next_nonce,
        s.previous_secret, s.previous_at, s.epoch, s.rev, s.created, s.last_seen, s.authenticated,
        s.idle, s.absolute, s.expires, s.remember, s.principal, s.patches, s.retired, s.retired_at,
        s.versions::text, s.realm, s.last_principal, NULL::boolean, NULL::bigint, f.names, f.texts, f.raws
    FROM {t:session} s LEFT JOIN LATERAL (
        SELECT array_agg(x.name::text) AS names, array_agg(x.value::text) AS texts, array_agg(x.raw) AS raws
        FROM {t:session_field} x WHERE x.session_id = s.id) f ON true
    WHERE s.id = p_id
$fn$;

-- Destroys a record whose row is locked, and remembers its secrets for the
-- 60000 ms of TOMBSTONE.
CREATE OR REPLACE FUNCTION {f:bury}(s {t:session}, p_elsewhere boolean, p_now bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $fn$
BEGIN
    BEGIN
        INSERT INTO {t:session_tombstone} AS o (id, secret, until, elsewhere, ended_at)
        SELECT DISTINCT s.id, x.secret, {f:after}(p_now, 60000), p_elsewhere, p_now
        FROM (SELECT s.secret
            UNION ALL SELECT s.next_secret
            UNION ALL SELECT s.previous_secret WHERE p_now - s.previous_at < 60000
            UNION ALL SELECT r.secret FROM unnest(s.retired, s.retired_at) AS r (secret, at)
                WHERE p_now - r.at < 60000) AS x (secret)
        WHERE x.secret IS NOT NULL
        ON CONFLICT (id, secret) DO UPDATE SET until = excluded.until,
            elsewhere = excluded.elsewhere, ended_at = excluded.ended_at;
    EXCEPTION WHEN disk_full THEN
        -- Forgotten rather than kept alive: what is below needs no room.
        RAISE WARNING 'no room to remember the secrets of a session that ended';
    END;
    DELETE FROM {t:session_field} WHERE session_id = s.id;
    DELETE FROM {t:session} WHERE id = s.id;
END $fn$;

-- SignIn::admit: 0 if a sign-in may be stored, 7 at the limit, 8 revoked. Ends
-- the sessions that make room for it. The principal is locked, and the clock
-- was read after that.
CREATE OR REPLACE FUNCTION {f:admit}(p_id text, p_principal text, p_cap bigint, p_evict boolean,
    p_since bigint, p_now bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_surplus bigint;
    v_id text;
    v_row {t:session};
BEGIN
    IF p_since IS NOT NULL AND EXISTS (SELECT 1 FROM {t:session_revocation}
        WHERE principal = p_principal AND at >= p_since) THEN
        RETURN 8;
    END IF;
    IF p_cap IS NULL THEN
        RETURN 0;
    END IF;
    SELECT count(*) + 1 - p_cap INTO v_surplus FROM {t:session}
        WHERE principal = p_principal AND id <> p_id AND expires > p_now;
    IF v_surplus <= 0 THEN
        RETURN 0;
    ELSIF NOT p_evict THEN
        RETURN 7;
    END IF;
    -- Who proved themselves the longest ago (never comes first), then created
    -- first, then by the bytes of the id. Locked in the order of ids.
    FOR v_id IN SELECT x.id FROM (SELECT id FROM {t:session}
        WHERE principal = p_principal AND id <> p_id AND expires > p_now
        ORDER BY authenticated NULLS FIRST, created, decode(translate(id, '-_', '+/') || '==', 'base64')
        LIMIT v_surplus) x ORDER BY x.id LOOP
        SELECT * INTO v_row FROM {t:session} WHERE id = v_id AND principal = p_principal FOR UPDATE;
        IF FOUND THEN
            PERFORM {f:bury}(v_row, true, p_now);
        END IF;
    END LOOP;
    RETURN 0;
END $fn$;
