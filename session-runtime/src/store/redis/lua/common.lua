-- What the scripts share. Above it stand the constants of the store, and `clock()`:
-- the time of the server in milliseconds, or that of a frozen clock.
-- docs/form.md has the places of a head; Lua counts them from 1.
local call, sub = redis.call, string.sub

local function kind(value) return value and sub(value, 2, 2) end

-- Whether a session still takes a step. Of one whose base was evicted nothing is left.
local function is_open(value, base, now, leeway)
  if not value or kind(value) == 't' or now >= sub(value, 45, 57) + leeway then return false end
  return kind(value) ~= 'a' or call('EXISTS', base) == 1
end

-- Whether both are of one kind and expire together, as with most changes.
local function is_alike(old, form)
  return kind(old) == kind(form) and sub(old, 45, 57) == sub(form, 45, 57)
end

-- Stores a form in the place of `old`. A full server takes a `SET` only after another
-- write: for what must not fail.
local function put(key, base, old, form, apart, now, must)
  local was, is = kind(old), kind(form)
  local kept = apart == nil or apart == ''
  if kept and not must and is_alike(old, form) then
    call('SET', key, form, 'KEEPTTL')
    return
  end
  local ttl = math.max(sub(form, 45, 57) - now, 0) + LEEWAY + MARGIN
  if must then call('PEXPIRE', key, ttl) end
  if not kept then call('SET', base, apart, 'PX', ttl) end
  call('SET', key, form, 'PX', ttl)
  if kept and was == 'a' and is == 'a' then call('PEXPIRE', base, ttl) end
  if kept and was == 'a' and is ~= 'a' then call('DEL', base) end
end

-- What a refusal answers: the session as it stands in this very step.
local function as_it_stands(value, base, now)
  return { value, kind(value) == 'a' and call('GET', base), now }
end
