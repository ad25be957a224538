-- Codes: 0 created, 1 exists, 2 refused, 7 at the limit, 8 revoked.
--
-- p_again: an earlier attempt of this very call may have been stored.
-- p_refused: too large, but whether the id exists is said first.
CREATE OR REPLACE FUNCTION {f:create}(p_id text, p_secret bytea, p_secret_since bigint,
    p_next_secret bytea, p_next_nonce bytea, p_previous_secret bytea, p_previous_at bigint,
    p_epoch bigint, p_rev bigint, p_created bigint, p_last_seen bigint, p_authenticated bigint,
    p_idle bigint, p_absolute bigint, p_remember bigint, p_principal text,
    p_patches bigint[], p_retired bytea[], p_retired_at bigint[], p_versions text, p_realm text, p_last bytea,
    p_names text[], p_texts text[], p_raws bytea[],
    p_cap bigint, p_evict boolean, p_since bigint, p_refused boolean, p_again boolean,
    p_now bigint, p_wait integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_now bigint;
    v_admit integer;
    v_expires bigint := {f:expires}(p_last_seen, p_idle, p_absolute);
BEGIN
    PERFORM {f:begin}(p_wait);
    IF p_principal IS NOT NULL AND (p_cap IS NOT NULL OR p_since IS NOT NULL) THEN
        PERFORM {f:principals}(p_principal, NULL);
    END IF;
    v_now := {f:now}(p_now);
    -- It was stored. If it has ended since, one under another id would undo that.
    IF p_again AND (EXISTS (SELECT 1 FROM {t:session} WHERE id = p_id AND secret = p_secret)
        OR EXISTS (SELECT 1 FROM {t:session_tombstone}
            WHERE id = p_id AND secret = p_secret AND until > v_now)) THEN
        RETURN 0;
    END IF;
    IF EXISTS (SELECT 1 FROM {t:session} WHERE id = p_id)
        OR EXISTS (SELECT 1 FROM {t:session_tombstone} WHERE id = p_id AND until > v_now) THEN
        RETURN 1;
    ELSIF p_refused THEN
        RETURN 2;
    END IF;
    IF p_principal IS NOT NULL THEN
        v_admit := {f:admit}(p_id, p_principal, p_cap, p_evict, p_since, v_now);
        IF v_admit <> 0 THEN
            RETURN v_admit;
        END IF;
    END IF;
    INSERT INTO {t:session} (id, secret, secret_since, next_secret, next_nonce, previous_secret,
        previous_at, epoch, rev, created, last_seen, authenticated, idle, absolute, expires,
        due, remember, principal, patches, retired, retired_at, versions, realm, last_principal)
    VALUES (p_id, p_secret, p_secret_since, p_next_secret, p_next_nonce, p_previous_secret,
        p_previous_at, p_epoch, p_rev, p_created, p_last_seen, p_authenticated, p_idle, p_absolute,
        v_expires, v_expires, p_remember, p_principal, p_patches, p_retired, p_retired_at,
        p_versions::jsonb, p_realm, p_last)
    ON CONFLICT (id) DO NOTHING;
    -- Somebody created it, or created and destroyed it, since we looked. What
    -- was evicted meanwhile must come back: all over again.
    IF NOT FOUND OR EXISTS (SELECT 1 FROM {t:session_tombstone} WHERE id = p_id AND until > v_now) THEN
        RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO {t:session_field} (session_id, name, value, raw)
    SELECT p_id, f.name, f.value, f.raw FROM unnest(p_names, p_texts, p_raws) AS f (name, value, raw);
    RETURN 0;
END $fn$;

CREATE OR REPLACE FUNCTION {f:delete}(p_id text, p_elsewhere boolean, p_now bigint, p_wait integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    s {t:session};
    v_now bigint;
BEGIN
    PERFORM {f:begin}(p_wait);
    SELECT * INTO s FROM {t:session} WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    v_now := {f:now}(p_now);
    PERFORM {f:bury}(s, p_elsewhere, v_now);
    RETURN s.expires > v_now;
END $fn$;

-- At most p_limit of them, by id: p_after is where the step before ended, and
-- next where the following one goes on. p_all: the first step of the end of every
-- one, which is remembered. p_one: that one. p_kept: all others.
CREATE OR REPLACE FUNCTION {f:revoke}(p_principal text, p_all boolean, p_one text, p_kept text,
    p_after text, p_limit bigint, p_now bigint, p_wait integer, OUT ended bigint, OUT next text)
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    s {t:session};
    v_now bigint;
    v_ids text[];
BEGIN
    ended := 0;
    PERFORM {f:begin}(p_wait);
    -- A sign-in that checked before us is stored by now, and is found below.
    PERFORM {f:principals}(p_principal, NULL);
    v_now := {f:now}(p_now);
    IF p_all THEN
        INSERT INTO {t:session_revocation} AS r (principal, at) VALUES (p_principal, v_now)
        ON CONFLICT (principal) DO UPDATE SET at = greatest(r.at, excluded.at);
    END IF;
    SELECT array_agg(x.id ORDER BY x.id) INTO v_ids FROM (SELECT id FROM {t:session}
        WHERE principal = p_principal AND (p_one IS NULL OR id = p_one)
        AND id > coalesce(p_after, '') ORDER BY id LIMIT p_limit) x;
    IF cardinality(v_ids) = p_limit THEN
        next := v_ids[p_limit];
    END IF;
    FOR s IN SELECT * FROM {t:session} WHERE id = ANY (v_ids) AND principal = p_principal
        AND (p_kept IS NULL OR id <> p_kept) ORDER BY id FOR UPDATE LOOP
        v_now := {f:now}(p_now);
        PERFORM {f:bury}(s, true, v_now);
        ended := ended + (s.expires > v_now)::integer;
    END LOOP;
END $fn$;

-- Rows that somebody holds are left for the next time: never waits. 60000 ms
-- are COMMIT_LEEWAY, 900000 ms are TICKET_LIFETIME.
--
-- moved: some that looked due live on, which is known by now.
CREATE OR REPLACE FUNCTION {f:sweep}(p_limit bigint, p_now bigint,
    OUT removed bigint, OUT more boolean, OUT moved boolean)
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_now bigint := {f:now}(p_now);
    v_ids text[];
BEGIN
    WITH looked AS (
        SELECT id, expires FROM {t:session} WHERE due <= v_now - 60000
        ORDER BY due LIMIT p_limit FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM {t:session} s USING looked l
        WHERE s.id = l.id AND l.expires <= v_now - 60000 RETURNING s.id),
    kept AS (UPDATE {t:session} s SET due = l.expires FROM looked l
        WHERE s.id = l.id AND l.expires > v_now - 60000 RETURNING s.id)
    SELECT (SELECT array_agg(id) FROM gone), EXISTS (SELECT 1 FROM kept) INTO v_ids, moved;
    removed := coalesce(array_length(v_ids, 1), 0);
    IF removed > 0 THEN
        DELETE FROM {t:session_field} WHERE session_id = ANY (v_ids);
    END IF;
    DELETE FROM {t:session_tombstone} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {t:session_tombstone} WHERE until <= v_now
        LIMIT p_limit FOR UPDATE SKIP LOCKED));
    DELETE FROM {t:session_revocation} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {t:session_revocation} WHERE at < v_now - 900000
        LIMIT p_limit FOR UPDATE SKIP LOCKED));
    more := EXISTS (SELECT 1 FROM {t:session} WHERE due <= v_now - 60000)
        OR EXISTS (SELECT 1 FROM {t:session_tombstone} WHERE until <= v_now)
        OR EXISTS (SELECT 1 FROM {t:session_revocation} WHERE at < v_now - 900000);
END $fn$;
