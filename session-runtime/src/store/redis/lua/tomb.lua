-- Destroyed sessions, which are remembered for a while.

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
    '@previous', '@retired', '@principal', '@made')
  if not m[1] or (principal and principal ~= m[9]) then return nil end
  local hashes = { txt(now + TOMBSTONE), m[5] }
  if m[6] then table.insert(hashes, string.match(m[6], '^%S+')) end
  for _, list in ipairs({ m[7] or '', m[8] or '' }) do
    for hash, at in string.gmatch(list, '([^ ,]+) (%d+)') do
      if now - tonumber(at) < TOMBSTONE then table.insert(hashes, hash) end
    end
  end
  call('DEL', key)
  -- Whoever asks again for its creation is told that it was created.
  call('HSET', key, '@dead', table.concat(hashes, ' '), '@made', m[10] or '')
  call('PEXPIRE', key, txt(TOMBSTONE + 1000))
  return now < expires(tonumber(m[2]), tonumber(m[3]), tonumber(m[4]))
end
