-- SESSION | now, secret, touch ('t' or ''), arrived ('' for now)
-- 0 absent, 1 retired, 2 replayed, {principal}: the index must last longer
-- first; else the hash.
local key, secret = KEYS[1], ARGV[2]
local all = call('HGETALL', key)
if #all == 0 then return 0 end
local m, at = {}, {}
for i = 1, #all, 2 do
  if string.byte(all[i]) == 64 then m[all[i]], at[all[i]] = all[i + 1], i + 1 end
end
local now = clock(ARGV[1])
if m['@dead'] then return entombed(m['@dead'], secret, now) and 1 or 0 end
local seen, idle, absolute = tonumber(m['@seen']), tonumber(m['@idle']), tonumber(m['@absolute'])
if now >= expires(seen, idle, absolute) then return 0 end

local function put(name, value)
  local i = at[name]
  if not i then
    i = #all + 2
    all[i - 1], at[name] = name, i
  end
  all[i] = value
end

local pending = m['@next'] and string.match(m['@next'], '^%S+')
local confirmed = false
if secret == m['@secret'] then
  -- the current one
elseif pending == secret then
  confirmed = true
else
  local previous, replaced = string.match(m['@previous'] or '', '^(%S+) (%d+)$')
  if previous == secret then
    local arrived = ARGV[4] ~= '' and tonumber(ARGV[4]) or now
    if arrived - tonumber(replaced) >= GRACE then return 2 end
  else
    for hash, since in string.gmatch(m['@retired'] or '', '([^ ,]+) (%d+)') do
      if hash == secret and now - tonumber(since) < TOMBSTONE then return 1 end
    end
    return 0
  end
end

local every = idle and math.max(math.floor(idle / 10), 1) or UNLIMITED_TOUCH
local touched = ARGV[3] == 't' and now - seen >= every
if touched and m['@principal'] and expires(now, idle, absolute) + LEEWAY >= tonumber(m['@bound'] or '0') then
  return { m['@principal'] }
end
if confirmed then
  force(key)
  local previous = m['@secret'] .. ' ' .. txt(now)
  call('HSET', key, '@secret', secret, '@since', txt(now), '@previous', previous)
  call('HDEL', key, '@next')
  put('@secret', secret)
  put('@since', txt(now))
  put('@previous', previous)
  put('@next', '')
end
if touched then
  force(key)
  call('HSET', key, '@seen', txt(now))
  keep_until(key, expires(now, idle, absolute), now)
  put('@seen', txt(now))
end
return all
