-- What all scripts share, and little more than they use: every call of a script
-- makes its functions anew. Above it stand the constants of the store.
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
