-- What all scripts share. Above it stand the constants of the store.
-- Numbers are doubles: times, epochs and revisions stay below 2^53; whatever
-- may be larger is text and is compared or added as text.
local call = redis.call

local function txt(n) return string.format('%.0f', n) end

-- The time that decides: the server's, or that of a frozen clock.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- `Meta::expires_at`
local function expires(seen, idle, absolute)
  local at = seen + MAX_LIFETIME
  if idle and seen + idle < at then at = seen + idle end
  if absolute and absolute < at then at = absolute end
  return at
end

-- The server removes the key by itself only after every clock says so.
local function keep_until(key, at, now)
  call('PEXPIRE', key, txt(math.max(at - now + LEEWAY + MARGIN, MARGIN)))
end

-- A full server lets a script write once it has written: removing what is not
-- there counts, and no field is named `@` alone. For what must not fail: a
-- logout, a touch.
local function force(key) call('HDEL', key, '@') end

-- Whether `secret` is one of a destroyed session that is still remembered.
local function entombed(dead, secret, now)
  local fate, hashes = string.match(dead, '^(%d+) (.*)$')
  if not fate or now >= tonumber(fate) then return false end
  for hash in string.gmatch(hashes, '%S+') do
    if hash == secret then return true end
  end
  return false
end

local function buried(dead, now)
  return now < tonumber(string.match(dead, '^%d+') or '0')
end

-- Destroys a session and leaves its tombstone: whether it was live, or nil if
-- there was none, or if it is not the principal's that is given.
local function destroy(key, now, principal)
  local m = call('HMGET', key, '@epoch', '@seen', '@idle', '@absolute', '@secret', '@next',
    '@previous', '@retired', '@principal')
  if not m[1] or (principal and principal ~= m[9]) then return nil end
  local hashes = { txt(now + TOMBSTONE), m[5] }
  if m[6] then table.insert(hashes, string.match(m[6], '^%S+')) end
  for _, list in ipairs({ m[7] or '', m[8] or '' }) do
    for hash, at in string.gmatch(list, '([^ ,]+) (%d+)') do
      if now - tonumber(at) < TOMBSTONE then table.insert(hashes, hash) end
    end
  end
  call('DEL', key)
  call('HSET', key, '@dead', table.concat(hashes, ' '))
  call('PEXPIRE', key, txt(TOMBSTONE + 1000))
  return now < expires(tonumber(m[2]), tonumber(m[3]), tonumber(m[4]))
end

-- The index of a principal is a sorted set:
--   session id      scored with the time by which that session has ended
--   +id number …    a sign-in under way, scored with its own end; see `sign_in.rs`
--   =id number …    one that was confirmed, until then
--   @revoked        scored with the time at which the revocation is forgotten
-- and so everything in it ends by itself.

local function prune(index, now) call('ZREMRANGEBYSCORE', index, '-inf', txt(now)) end

local function keep_index(index, now)
  local last = call('ZRANGE', index, -1, -1, 'WITHSCORES')
  if last[2] then call('PEXPIRE', index, txt(tonumber(last[2]) - now + MARGIN)) end
end

-- Every entry raises the score, so that whoever removes one under its score
-- removes nothing that came since.
local function enter(index, id, bound)
  local old = call('ZSCORE', index, id)
  if old and tonumber(old) >= bound then bound = tonumber(old) + 1 end
  call('ZADD', index, txt(bound), id)
  return bound
end

local function revoked_since(index, since)
  local at = since ~= '' and call('ZSCORE', index, '@revoked')
  return at and tonumber(since) <= tonumber(at) - TICKET_LIFETIME - 1
end
