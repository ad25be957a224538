-- SESSION [INDEX] | now, patch id, epoch, then what is asked for, each with a
-- letter in front. See `ask.rs` for both sides of it.
local key, index = KEYS[1], KEYS[2]
local now, patch, epoch = clock(ARGV[1]), ARGV[2], ARGV[3]

local function stored_name(name)
  if string.byte(name) == 64 then return '@' .. name end
  return name
end

-- `Add::sum`, or nil. Texts of more digits than a double holds are added as texts.
local function total_of_texts(value, delta, absent, min, max)
  local function split(n)
    if string.byte(n) == 45 then return true, string.sub(n, 2) end
    return false, n
  end

  local function compare(a, b)
    if #a ~= #b then return #a < #b and -1 or 1 end
    for i = 1, #a do
      local x, y = string.byte(a, i), string.byte(b, i)
      if x ~= y then return x < y and -1 or 1 end
    end
    return 0
  end

  local function less(a, b)
    local na, da = split(a)
    local nb, db = split(b)
    if na ~= nb then return na end
    local order = compare(da, db)
    if na then return order > 0 end
    return order < 0
  end

  local function digits(a, b, sign)
    local out, carry, i, j = {}, 0, #a, #b
    while i > 0 or j > 0 or carry ~= 0 do
      local x = i > 0 and string.byte(a, i) - 48 or 0
      local y = j > 0 and string.byte(b, j) - 48 or 0
      local d = x + sign * y + carry
      carry = 0
      if d > 9 then d, carry = d - 10, 1 elseif d < 0 then d, carry = d + 10, -1 end
      table.insert(out, string.char(48 + d))
      i, j = i - 1, j - 1
    end
    local text = string.gsub(string.reverse(table.concat(out)), '^0+', '')
    return text == '' and '0' or text
  end

  local function add(a, b)
    local na, da = split(a)
    local nb, db = split(b)
    local sum, negative
    if na == nb then
      sum, negative = digits(da, db, 1), na
    elseif compare(da, db) >= 0 then
      sum, negative = digits(da, db, -1), na
    else
      sum, negative = digits(db, da, -1), nb
    end
    return (negative and sum ~= '0') and '-' .. sum or sum
  end

  local base = value or absent
  if value and (less(base, min) or less(max, base)) then return nil end
  local sum = add(base, delta)
  if less(sum, min) then return min end
  if less(max, sum) then return max end
  return sum
end

local function total(value, delta, absent, min, max)
  if value then
    local d = string.match(value, '^%-?(%d+)$')
    if not d or (#d > 1 and string.byte(d) == 48) then return nil end
    if d == '0' then value = '0' end
  end
  local base = value or absent
  if #base > 15 or #delta > 15 then return total_of_texts(value, delta, absent, min, max) end
  -- Exact: a bound beyond what a double holds is beyond these, too.
  local lowest, highest, n = tonumber(min), tonumber(max), tonumber(base)
  if value and (n < lowest or highest < n) then return nil end
  local sum = n + tonumber(delta)
  if sum < lowest then return min end
  if highest < sum then return max end
  return txt(sum)
end

-- What is asked for, sorted out.
local expect, ops, ask = {}, {}, {}
local versions = {}
do
  local i = 4
  local function more() i = i + 1; return ARGV[i] end
  while i <= #ARGV do
    local c, rest = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
    if c == '=' or c == '?' or c == '+' then table.insert(ops, { c, rest, more() })
    elseif c == '-' or c == '<' then table.insert(ops, { c, rest })
    elseif c == 'r' or c == 'F' then table.insert(expect, { c, rest })
    elseif c == 'f' or c == 'v' then table.insert(expect, { c, rest, more() })
    elseif c == 'w' then table.insert(versions, { rest, more() })
    else ask[c] = rest end
    i = i + 1
  end
end

-- The record's own data, and behind that what the operations are about.
local names = { '@epoch', '@rev', '@seen', '@idle', '@absolute', '@patches', '@bytes' }
local OWN = #names
for i, op in ipairs(ops) do names[OWN + i] = stored_name(op[2]) end
local m
if #names <= 4000 then
  m = call('HMGET', key, unpack(names))
else
  m = {}
  for i, name in ipairs(names) do m[i] = call('HGET', key, name) end
end
if not m[1] then return 0 end

local function rotation(secret, next)
  local from = ask.o and string.match(ask.o, '^(%S+)')
  return next and from == secret and string.match(next, ' (%S+)$') or false
end

for known in string.gmatch(m[6], '%d+') do
  if known == patch then
    local s = call('HMGET', key, '@secret', '@next')
    return { 'r', tonumber(m[2]), rotation(s[1], s[2]) }
  end
end
if ask.g and tonumber(m[2]) >= tonumber(ask.g) + PATCHES then return { 'x' } end
local seen, idle, absolute = tonumber(m[3]), tonumber(m[4]), tonumber(m[5])
if now >= expires(seen, idle, absolute) + LEEWAY then return 0 end
if m[1] ~= epoch then return -1 end

for i, it in ipairs(expect) do
  local met
  if it[1] == 'r' then met = it[2] == m[2]
  elseif it[1] == 'F' then met = not call('HGET', key, stored_name(it[2]))
  elseif it[1] == 'f' then met = call('HGET', key, stored_name(it[2])) == it[3]
  else met = (call('HGET', key, '@v:' .. it[2]) or '1') == it[3] end
  if not met then return { 'c', i, call('HGETALL', key) } end
end

local sets, dels, taken = {}, {}, {}
local before, after, largest, growth = 0, 0, nil, -1
local large
for i, op in ipairs(ops) do
  local c, value = op[1], nil
  local old, name = m[OWN + i], names[OWN + i]
  if c == '=' then value = op[3]
  elseif c == '?' then value = old ~= op[3] and old or nil
  elseif c == '+' then
    value = total(old, string.match(op[3], '^(%S+) (%S+) (%S+) (%S+)$'))
    if not value then return { 'n', i } end
  elseif c == '<' then table.insert(taken, old) end
  if value then
    if value ~= old then
      table.insert(sets, name)
      table.insert(sets, value)
    end
  elseif old then table.insert(dels, name) end
  local was, is = old and #op[2] + #old or 0, value and #op[2] + #value or 0
  if is > was and is > FIELD and not large then large = i end
  if math.max(is - was, 0) >= growth then largest, growth = i, math.max(is - was, 0) end
  before, after = before + was, after + is
end
if large then return { 'l', large, 'f' } end
local bytes = tonumber(m[7]) + after - before
if after > before and bytes > RECORD then return { 'l', largest, 'r' } end

-- The record's own data, all of it prepared before anything is written.
local function set(name, value)
  table.insert(sets, name)
  table.insert(sets, value)
end
local principal
local signs_in = ask.p or ask.c or ask.t or ask.e
if ask.p or ask.P or ask.n or ask.o or ask.l or signs_in then
  local s = call('HMGET', key, '@secret', '@next', '@previous', '@retired', '@principal', '@bound')
  local secret, pending = s[1], s[2]
  local bound = tonumber(s[6] or '0')
  principal = s[5]
  if ask.n then
    local kept = {}
    local function retire(hash, at)
      table.insert(kept, hash .. ' ' .. at)
    end
    for hash, at in string.gmatch(s[4] or '', '([^ ,]+) (%d+)') do
      if now - tonumber(at) < TOMBSTONE then retire(hash, at) end
    end
    local previous, at = string.match(s[3] or '', '^(%S+) (%d+)$')
    if previous and now - tonumber(at) < TOMBSTONE then retire(previous, txt(now)) end
    if pending then retire(string.match(pending, '^%S+'), txt(now)) end
    retire(secret, txt(now))
    while #kept > RETIRED do table.remove(kept, 1) end
    secret, pending = ask.n, false
    set('@retired', table.concat(kept, ','))
    set('@secret', secret)
    set('@since', txt(now))
    set('@epoch', txt(tonumber(epoch) + 1))
    if s[2] then table.insert(dels, '@next') end
    if s[3] then table.insert(dels, '@previous') end
  end
  if ask.p then
    principal = ask.p
    set('@principal', principal)
    set('@last', ask.h)
  elseif ask.P then
    principal = false
    for _, name in ipairs({ '@principal', '@authenticated', '@bound' }) do table.insert(dels, name) end
  end
  if ask.l then
    local i, a, r = string.match(ask.l, '^(%d*),(%d*),(%d*)$')
    seen, idle, absolute = now, tonumber(i), a ~= '' and now + tonumber(a) or nil
    set('@seen', txt(seen))
    for _, it in ipairs({ { '@idle', i }, { '@absolute', absolute and txt(absolute) or '' }, { '@remember', r } }) do
      if it[2] ~= '' then set(it[1], it[2]) else table.insert(dels, it[1]) end
    end
  end
  if ask.o then
    local from, next = string.match(ask.o, '^(%S+) (.+)$')
    if not pending and secret == from then
      pending = next
      set('@next', next)
      for i = #dels, 1, -1 do
        if dels[i] == '@next' then table.remove(dels, i) end
      end
    end
  end
  ask.nonce = rotation(secret, pending)
  if not principal then
    signs_in = false
  elseif signs_in or (ask.l and expires(seen, idle, absolute) + LEEWAY >= bound) then
    signs_in = true
    -- In a cluster the index was told before, and its answer is in `e`.
    if ask.b then
      if ask.k and ask.k ~= principal then return { 'w', principal } end
      bound = tonumber(ask.b)
    elseif not index or (ask.k and ask.k ~= principal) then
      return { 'w', principal }
    else
      bound = (absolute or now + 2 * MAX_LIFETIME) + 2 * LEEWAY
    end
    set('@bound', txt(bound))
    ask.bound = bound
  end
end
if ask.a and not ask.P then set('@authenticated', txt(now)) end
for _, it in ipairs(versions) do
  local name = '@v:' .. it[1]
  if (call('HGET', key, name) or '1') ~= it[2] then set(name, it[2]) end
end

local ended, stale
local id = string.sub(key, #PREFIX + 1)
if ask.bound then
  if ask.u and now >= tonumber(ask.u) then return { 'u' } end
  if ask.e and ask.e ~= '' then return { 'd', ask.e } end
  if index then
    local cap, evict = string.match(ask.c or '', '^(%d+)(e?)$')
    local denial
    denial, ended, stale = admit(index, id, principal, tonumber(cap), evict == 'e', ask.t or '', now)
    if denial then return { 'd', denial } end
  end
end

local rev = txt(tonumber(m[2]) + 1)
set('@rev', rev)
local log = m[6] == '' and patch or m[6] .. ',' .. patch
local _, commas = string.gsub(log, ',', ',')
if commas >= PATCHES then log = string.gsub(log, '^%d+,', '') end
set('@patches', log)
if after ~= before then set('@bytes', txt(bytes)) end
-- The only step that a full server refuses, and it comes first.
for i = 1, #sets, 1000 do call('HSET', key, unpack(sets, i, math.min(i + 999, #sets))) end
for i = 1, #dels, 1000 do call('HDEL', key, unpack(dels, i, math.min(i + 999, #dels))) end
if ask.l then keep_until(key, expires(seen, idle, absolute), now) end
if ask.bound and index then settle(index, id, ask.bound, principal, ended, stale, now) end

if #taken == 0 and not ask.nonce then return tonumber(rev) end
return { 'a', tonumber(rev), ask.nonce or false, unpack(taken) }
