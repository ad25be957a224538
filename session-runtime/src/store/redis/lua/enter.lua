-- SESSION INDEX [OTHER …] | what, as read, form, base, id, bound, cap, since, id of the
-- ends, then the head of each of the others: they are evicted, or do not count if they
-- have expired
-- what: `c` a new session (as read: all that is there and over), `p` a patch, else a touch
-- 0 stored, 'revoked', 'full'; else as it stands
local key, index, what, read, form = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local id, cap = ARGV[5], tonumber(ARGV[7])
local base, value, now = '{' .. key .. '}b', call('GET', key), clock()
local same = value and sub(value, 1, #read) == read
if what == 'c' then
  same = (value or '') == read
else
  same = same and is_open(value, base, now, what == '' and 0 or LEEWAY)
end
if not same then return as_it_stands(value, base, now) end
if revoked_since(index, ARGV[8]) then return 'revoked' end

local evicted = {}
if cap then
  local others = call('ZCOUNT', index, '(' .. now, '+inf') - counts(index, id, now)
    - counts(index, '@revoked', now)
  for i = 3, #KEYS do
    local head, theirs = ARGV[i + 7], call('GET', KEYS[i])
    if not theirs or sub(theirs, 1, #head) ~= head then return 'full' end
    if now < tonumber(sub(theirs, 45, 57)) then evicted[i] = theirs end
    others = others - counts(index, sub(KEYS[i], -ID), now)
  end
  if others >= cap then return 'full' end
end

-- A full server refuses this, and then nothing is done.
put(key, base, value, form, ARGV[4], now, what == '')
for i, theirs in pairs(evicted) do
  entomb(KEYS[i], theirs, 'l', ARGV[9], now)
  call('ZREM', index, sub(KEYS[i], -ID))
end
enter(index, id, tonumber(ARGV[6]))
prune(index, now)
keep_index(index, now)
return 0
