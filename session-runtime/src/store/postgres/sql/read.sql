-- Codes: 0 absent, 1 found, 2 ended, 3 replayed.
--
-- A load that only reads takes no lock and writes nothing. One that must
-- confirm a pending secret or write the last activity locks the row, looks
-- again at what it is then, and decides anew.
CREATE OR REPLACE FUNCTION {f:load}(p_id text, p_secrets bytea[], p_arrived bigint, p_touch boolean,
    p_now bigint, p_wait integer) RETURNS {f:answer}
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    a {f:answer};
    v_now bigint;
    v_next boolean;
    v_locked boolean := false;
    v_at bigint;
BEGIN
    LOOP
        SELECT * INTO a FROM {f:read}(p_id);
        v_now := {f:now}(p_now);
        IF a.id IS NULL THEN
            SELECT o.elsewhere, o.ended_at INTO a.elsewhere, a.ended_at
                FROM {t:session_tombstone} o
                WHERE o.id = p_id AND o.secret = ANY (p_secrets) AND o.until > v_now LIMIT 1;
            a.code := CASE WHEN FOUND THEN 2 ELSE 0 END;
            RETURN a;
        END IF;
        v_next := coalesce(a.secret <> a.next_secret AND a.next_secret = ANY (p_secrets), false);
        SELECT max(r.at) INTO v_at FROM unnest(a.retired, a.retired_at) AS r (secret, at)
            WHERE r.secret = ANY (p_secrets) AND v_now - r.at < 60000;
        -- Meta::judge
        a.code := CASE
            WHEN v_now >= a.expires THEN 0
            WHEN v_next OR a.secret = ANY (p_secrets) THEN 1
            WHEN a.previous_secret = ANY (p_secrets) THEN
                CASE WHEN coalesce(p_arrived, v_now) - a.previous_at < 60000 THEN 1 ELSE 3 END
            WHEN v_at IS NOT NULL THEN 2
            ELSE 0 END;
        IF a.code <> 1 THEN
            -- Nothing of a record that was not opened leaves the server.
            v_next := NULL;
            SELECT a.code INTO a;
            IF a.code = 2 THEN
                a.elsewhere := false;
                a.ended_at := v_at;
            END IF;
            RETURN a;
        END IF;
        -- Meta::touch_is_due
        p_touch := p_touch AND v_now - a.last_seen >= greatest(coalesce(a.idle / 10, 3600000), 1);
        IF NOT (v_next OR p_touch) THEN
            RETURN a;
        END IF;
        EXIT WHEN v_locked;
        PERFORM {f:begin}(p_wait);
        PERFORM 1 FROM {t:session} WHERE id = p_id FOR UPDATE;
        v_locked := true;
    END LOOP;
    IF v_next THEN
        a.previous_secret := a.secret;
        a.previous_at := v_now;
        a.secret := a.next_secret;
        a.secret_since := v_now;
        a.next_secret := NULL;
        a.next_nonce := NULL;
    END IF;
    IF p_touch THEN
        a.last_seen := v_now;
        a.expires := {f:expires}(a.last_seen, a.idle, a.absolute);
    END IF;
    UPDATE {t:session} SET secret = a.secret, secret_since = a.secret_since,
        next_secret = a.next_secret, next_nonce = a.next_nonce,
        previous_secret = a.previous_secret, previous_at = a.previous_at,
        last_seen = a.last_seen, expires = a.expires
    WHERE id = p_id;
    RETURN a;
END $fn$;

CREATE OR REPLACE FUNCTION {f:reload}(p_id text, p_epoch bigint, p_now bigint) RETURNS SETOF {f:answer}
LANGUAGE plpgsql VOLATILE AS $fn$
BEGIN
    RETURN QUERY SELECT r.* FROM {f:read}(p_id) r WHERE r.epoch = p_epoch AND r.expires > {f:now}(p_now);
END $fn$;

CREATE OR REPLACE FUNCTION {f:list}(p_principal text, p_after text, p_limit bigint, p_now bigint) RETURNS SETOF {f:answer}
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_now bigint := {f:now}(p_now);
BEGIN
    RETURN QUERY SELECT r.* FROM (SELECT s.id FROM {t:session} s
            WHERE s.principal = p_principal AND s.id > coalesce(p_after, '') AND s.expires > v_now
            ORDER BY s.id LIMIT p_limit) x
        CROSS JOIN LATERAL {f:read}(x.id) r ORDER BY r.id COLLATE "C";
END $fn$;

CREATE OR REPLACE FUNCTION {f:count}(p_now bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_now bigint := {f:now}(p_now);
BEGIN
    RETURN (SELECT count(*) FROM {t:session} WHERE expires > v_now);
END $fn$;

CREATE OR REPLACE FUNCTION {f:scan}(p_after text, p_limit bigint, p_now bigint) RETURNS SETOF {f:answer}
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    v_now bigint := {f:now}(p_now);
BEGIN
    RETURN QUERY SELECT r.* FROM (SELECT s.id FROM {t:session} s
            WHERE s.id > coalesce(p_after, '') AND s.expires > v_now ORDER BY s.id LIMIT p_limit) x
        CROSS JOIN LATERAL {f:read}(x.id) r ORDER BY r.id COLLATE "C";
END $fn$;
