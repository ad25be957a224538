-- SESSION | now, secret, touch ('t' or ''), arrived ('' for now)
-- 0 absent, 2 replayed, {'e', by, at} ended, {principal}: the index must last
-- longer first; else the hash.
local key, secret = KEYS[1], ARGV[2]
local m = call('HMGET', key, '@secret', '@seen', '@idle', '@absolute')
local now = clock(ARGV[1])
if not m[1] then
  local dead = call('HGET', key, '@dead')
  return dead and entombed(dead, secret, now) or 0
end
local seen, idle, absolute = tonumber(m[2]), tonumber(m[3]), tonumber(m[4])
if now >= expires(seen, idle, absolute) then return 0 end

local confirmed = false
if secret ~= m[1] then
  local s = call('HMGET', key, '@next', '@previous', '@retired')
  if s[1] and string.match(s[1], '^%S+') == secret then
    confirmed = true
  else
    local previous, replaced = string.match(s[2] or '', '^(%S+) (%d+)$')
    if previous == secret then
      local arrived = ARGV[4] ~= '' and tonumber(ARGV[4]) or now
      if arrived - tonumber(replaced) >= GRACE then return 2 end
    else
      for hash, since in string.gmatch(s[3] or '', '([^ ,]+) (%d+)') do
        if hash == secret and now - tonumber(since) < TOMBSTONE then return { 'e', 'b', since } end
      end
      return 0
    end
  end
end

local every = idle and math.max(math.floor(idle / 10), 1) or UNLIMITED_TOUCH
local touched = ARGV[3] == 't' and now - seen >= every
if touched then
  local p = call('HMGET', key, '@principal', '@bound')
  if p[1] and expires(now, idle, absolute) + LEEWAY >= tonumber(p[2] or '0') then
    return { p[1] }
  end
end
if touched and not confirmed then
  -- A server that takes no writes, for its disk is full, still reads.
  local answer = redis.pcall('HDEL', key, '@')
  touched = not (type(answer) == 'table' and answer.err)
end
if confirmed then
  force(key)
  call('HSET', key, '@secret', secret, '@since', txt(now), '@previous', m[1] .. ' ' .. txt(now))
  call('HDEL', key, '@next')
end
if touched then
  call('HSET', key, '@seen', txt(now))
  keep_until(key, expires(now, idle, absolute), now)
end
return call('HGETALL', key)
