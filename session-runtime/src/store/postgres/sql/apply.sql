-- Record::apply as one statement. Codes: 0 applied, 1 repeated, 2 absent,
-- 10 uncertain, 3 superseded, 4 conflict (with the record), 5 not an integer, 6 a field too
-- large, 9 the record too large, 7 at the limit, 8 revoked. The field at fault
-- is in `field`.
--
-- x_*: expectations; kind 0 revision, 1 field, 2 version of a namespace.
-- o_*: operations; kind 0 set, 1 remove, 2 remove if, 3 add (`o_text` holds
-- delta, absent, min and max), 4 take.
CREATE OR REPLACE FUNCTION {f:apply}(p_id text, p_epoch bigint, p_patch bigint,
    x_kind integer[], x_name text[], x_number bigint[], x_text text[], x_raw bytea[],
    o_kind integer[], o_name text[], o_text text[], o_raw bytea[],
    m_renew bytea, m_authenticated boolean, m_move boolean, m_principal text,
    m_restart boolean, m_idle bigint, m_absolute bigint, m_remember bigint,
    m_from bytea, m_nonce bytea, m_next bytea, m_names text[], m_versions bigint[],
    p_cap bigint, p_evict boolean, p_since bigint, p_again bigint, l_field bigint, l_record bigint,
    p_now bigint, p_wait integer) RETURNS {f:answer}
LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
    a {f:answer};
    s {t:session};
    v_now bigint;
    v_old text;
    v_met boolean;
    v_there boolean;
    v_value text;
    v_raw bytea;
    v_before bigint;
    v_after bigint;
    v_sum numeric;
    v_min numeric;
    v_max numeric;
    v_more bigint := 0;
    v_less bigint := 0;
    v_growth bigint;
    v_most bigint := -1;
    v_largest text;
    v_large text;
    v_keep boolean[] := '{}'; -- what each operation leaves: a value,
    v_text text[] := '{}';    -- which is this
    v_bytes bytea[] := '{}';  -- or this;
    v_skip boolean[] := '{}'; -- or it does nothing
    v_conditional boolean := p_cap IS NOT NULL OR p_since IS NOT NULL;
    n_x integer := coalesce(array_length(x_kind, 1), 0);
    n_o integer := coalesce(array_length(o_kind, 1), 0);
    n_m integer := coalesce(array_length(m_names, 1), 0);
BEGIN
    PERFORM {f:begin}(p_wait);
    -- Principals are locked before rows, everywhere.
    IF v_conditional THEN
        SELECT principal INTO v_old FROM {t:session} WHERE id = p_id;
        PERFORM {f:principals}(v_old, CASE WHEN m_move THEN m_principal END);
    END IF;
    SELECT * INTO s FROM {t:session} WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        a.code := 2;
        RETURN a;
    END IF;
    IF v_conditional AND s.principal IS DISTINCT FROM v_old THEN
        RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure';
    END IF;
    v_now := {f:now}(p_now);
    a.rev := s.rev;
    IF p_patch = ANY (s.patches) THEN
        a.code := 1;
        a.epoch := p_epoch + (m_renew IS NOT NULL)::integer;
        a.next_nonce := CASE WHEN s.secret = m_from THEN s.next_nonce END;
        RETURN a;
    ELSIF s.rev >= p_again + 4 THEN
        -- It may have been applied, and forgotten.
        a.code := 10;
        RETURN a;
    ELSIF v_now >= {f:after}(s.expires, 60000) THEN
        a.code := 2;
        RETURN a;
    ELSIF s.epoch <> p_epoch THEN
        a.code := 3;
        RETURN a;
    END IF;

    FOR i IN 1 .. n_x LOOP
        IF x_kind[i] = 0 THEN
            v_met := s.rev = x_number[i];
        ELSIF x_kind[i] = 1 THEN
            SELECT value, raw INTO v_value, v_raw FROM {t:session_field}
                WHERE session_id = p_id AND name = x_name[i];
            v_met := v_value IS NOT DISTINCT FROM x_text[i] AND v_raw IS NOT DISTINCT FROM x_raw[i];
        ELSE
            v_met := coalesce((s.versions ->> x_name[i])::bigint, 1) = x_number[i];
        END IF;
        IF NOT v_met THEN
            SELECT * INTO a FROM {f:read}(p_id);
            a.code := 4;
            a.field := CASE WHEN x_kind[i] = 1 THEN x_name[i] END;
            RETURN a;
        END IF;
    END LOOP;

    FOR i IN 1 .. n_o LOOP
        v_value := NULL;
        v_raw := NULL;
        v_before := NULL;
        IF o_kind[i] IN (0, 1) THEN
            -- Only its size: a large value is not even read.
            SELECT octet_length(name) + coalesce(octet_length(value), octet_length(raw))
                INTO v_before FROM {t:session_field} WHERE session_id = p_id AND name = o_name[i];
        ELSE
            SELECT octet_length(name) + coalesce(octet_length(value), octet_length(raw)), value, raw
                INTO v_before, v_value, v_raw
                FROM {t:session_field} WHERE session_id = p_id AND name = o_name[i];
        END IF;
        v_there := v_before IS NOT NULL;
        v_keep[i] := false;
        v_skip[i] := false;
        v_text[i] := NULL;
        v_bytes[i] := NULL;
        v_after := 0;
        CASE o_kind[i]
        WHEN 0 THEN
            v_keep[i] := true;
            v_text[i] := o_text[i];
            v_bytes[i] := o_raw[i];
        WHEN 2 THEN
            v_skip[i] := NOT v_there OR v_value IS DISTINCT FROM o_text[i] OR v_raw IS DISTINCT FROM o_raw[i];
        WHEN 3 THEN
            v_min := split_part(o_text[i], ' ', 3)::numeric;
            v_max := split_part(o_text[i], ' ', 4)::numeric;
            IF NOT v_there THEN
                v_sum := split_part(o_text[i], ' ', 2)::numeric;
            ELSE
                -- Longer ones are out of every bound.
                IF v_value ~ '^-?(0|[1-9][0-9]{0,38})$' THEN
                    v_sum := v_value::numeric;
                ELSE
                    v_sum := NULL;
                END IF;
                IF v_sum IS NULL OR v_sum < v_min OR v_sum > v_max THEN
                    a.code := 5;
                    a.field := o_name[i];
                    RETURN a;
                END IF;
            END IF;
            v_keep[i] := true;
            v_text[i] := least(greatest(v_sum + split_part(o_text[i], ' ', 1)::numeric, v_min), v_max)::text;
        WHEN 4 THEN
            a.names := array_append(a.names, o_name[i]);
            a.texts := array_append(a.texts, v_value);
            a.raws := array_append(a.raws, v_raw);
        ELSE
        END CASE;
        -- Limits::check
        v_before := coalesce(v_before, 0);
        IF v_keep[i] THEN
            v_after := octet_length(o_name[i]) + coalesce(octet_length(v_text[i]), octet_length(v_bytes[i]));
        ELSIF v_skip[i] THEN
            v_after := v_before;
        END IF;
        IF v_after > v_before AND v_after > l_field AND v_large IS NULL THEN
            v_large := o_name[i];
        END IF;
        v_more := v_more + v_after;
        v_less := v_less + v_before;
        v_growth := greatest(v_after - v_before, 0);
        IF v_growth >= v_most THEN
            v_most := v_growth;
            v_largest := o_name[i];
        END IF;
    END LOOP;
    -- After all of them: what is no integer is said first.
    IF v_large IS NOT NULL THEN
        a.code := 6;
        a.field := v_large;
        RETURN a;
    END IF;
    IF v_more > v_less AND l_record IS NOT NULL AND v_more - v_less + (
        SELECT coalesce(sum(octet_length(name) + coalesce(octet_length(value), octet_length(raw))), 0)
        FROM {t:session_field} WHERE session_id = p_id) > l_record THEN
        a.code := 9;
        a.field := v_largest;
        RETURN a;
    END IF;

    IF m_move THEN
        -- Principal::hash
        s.last_principal := CASE WHEN m_principal IS NULL THEN coalesce(
            substr(sha256(convert_to(s.principal, 'UTF8')), 1, 16), s.last_principal) END;
        s.principal := m_principal;
    END IF;
    IF v_conditional AND s.principal IS NOT NULL THEN
        a.code := {f:admit}(p_id, s.principal, p_cap, p_evict, p_since, v_now);
        IF a.code <> 0 THEN
            RETURN a;
        END IF;
    END IF;

    FOR i IN 1 .. n_o LOOP
        IF v_keep[i] THEN
            INSERT INTO {t:session_field} AS f (session_id, name, value, raw)
            VALUES (p_id, o_name[i], v_text[i], v_bytes[i])
            ON CONFLICT (session_id, name) DO UPDATE SET value = excluded.value, raw = excluded.raw
            WHERE f.value IS DISTINCT FROM excluded.value OR f.raw IS DISTINCT FROM excluded.raw;
        ELSIF NOT v_skip[i] THEN
            DELETE FROM {t:session_field} WHERE session_id = p_id AND name = o_name[i];
        END IF;
    END LOOP;

    s.rev := s.rev + 1;
    s.patches := (s.patches || p_patch)[greatest(cardinality(s.patches) - 2, 1):];
    IF m_renew IS NULL AND NOT m_authenticated AND NOT m_move AND NOT m_restart
        AND m_from IS NULL AND n_m = 0 THEN
        UPDATE {t:session} SET rev = s.rev, patches = s.patches WHERE id = p_id;
    ELSE
        IF m_renew IS NOT NULL THEN
            -- Meta::retire_secrets: those of the last minute, the last six.
            SELECT coalesce(array_agg(r.secret ORDER BY r.place), '{}'), coalesce(array_agg(r.at ORDER BY r.place), '{}')
            INTO s.retired, s.retired_at FROM (
                SELECT x.secret, x.at, x.place FROM (
                    SELECT o.secret, o.at, o.place FROM unnest(s.retired, s.retired_at)
                        WITH ORDINALITY AS o (secret, at, place) WHERE v_now - o.at < 60000
                    UNION ALL SELECT s.previous_secret, v_now, 101
                        WHERE s.previous_secret IS NOT NULL AND v_now - s.previous_at < 60000
                    UNION ALL SELECT s.next_secret, v_now, 102 WHERE s.next_secret IS NOT NULL
                    UNION ALL SELECT s.secret, v_now, 103) x
                ORDER BY x.place DESC LIMIT 6) r;
            s.next_secret := NULL;
            s.next_nonce := NULL;
            s.previous_secret := NULL;
            s.previous_at := NULL;
            s.secret := m_renew;
            s.secret_since := v_now;
            s.epoch := s.epoch + 1;
        END IF;
        IF m_authenticated THEN
            s.authenticated := v_now;
        END IF;
        IF m_move AND m_principal IS NULL THEN
            s.authenticated := NULL;
        END IF;
        IF m_restart THEN
            s.last_seen := v_now;
            s.idle := m_idle;
            s.absolute := {f:after}(v_now, m_absolute);
            s.remember := m_remember;
        END IF;
        IF s.next_secret IS NULL AND s.secret = m_from THEN
            s.next_secret := m_next;
            s.next_nonce := m_nonce;
        END IF;
        FOR i IN 1 .. n_m LOOP
            IF coalesce((s.versions ->> m_names[i])::bigint, 1) <> m_versions[i] THEN
                s.versions := coalesce(s.versions, '{}') || jsonb_build_object(m_names[i], m_versions[i]);
            END IF;
        END LOOP;
        UPDATE {t:session} SET secret = s.secret, secret_since = s.secret_since,
            next_secret = s.next_secret, next_nonce = s.next_nonce,
            previous_secret = s.previous_secret, previous_at = s.previous_at,
            epoch = s.epoch, rev = s.rev, last_seen = s.last_seen, authenticated = s.authenticated,
            idle = s.idle, absolute = s.absolute, remember = s.remember, principal = s.principal,
            last_principal = s.last_principal,
            expires = {f:expires}(s.last_seen, s.idle, s.absolute),
            due = least(s.due, {f:expires}(s.last_seen, s.idle, s.absolute)),
            patches = s.patches, retired = s.retired, retired_at = s.retired_at, versions = s.versions
        WHERE id = p_id;
    END IF;
    a.code := 0;
    a.rev := s.rev;
    a.epoch := s.epoch;
    a.next_nonce := CASE WHEN s.secret = m_from THEN s.next_nonce END;
    RETURN a;
END $fn$;
