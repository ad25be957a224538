-- Destroyed sessions, which are remembered for a while.

-- If `secret` is one of a destroyed session that is still remembered: who ended
-- it (`b` its browser, `e` elsewhere), and when.
local function entombed(dead, secret, now)
  local fate, by, at, hashes = string.match(dead, '^(%d+) (%a) (%d+) (.*)$')
  if not fate or now >= tonumber(fate) then return 0 end
  for hash in string.gmatch(hashes, '%S+') do
    if hash == secret then return { 'e', by, at } end
  end
  return 0
end

local function buried(dead, now)
  return now < tonumber(string.match(dead, '^%d+') or '0')
end

-- Destroys a session and leaves its tombstone: whether it was live, or nil if
-- there was none, or if it is not the principal's that is given.
local function destroy(key, now, principal, by)
  local m = call('HMGET', key, '@epoch', '@seen', '@idle', '@absolute', '@secret', '@next',
    '@previous', '@retired', '@principal', '@made')
  if not m[1] or (principal and principal ~= m[9]) then return nil end
  local hashes = { txt(now + TOMBSTONE), by, txt(now), m[5] }
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
