-- INDEX | id, what (id first), bound, since, at most so many others ('': not to be counted)
-- 'revoked', 'crowded', or {until, how far it was before, {member, score, …}}
local index, id, what = KEYS[1], ARGV[1], ARGV[2]
local now = clock()
if revoked_since(index, ARGV[4]) then return 'revoked' end
local most = tonumber(ARGV[5])
-- Sign-ins, under way or confirmed, are over by then.
local later = '(' .. now + RESERVATION
if most and call('ZCOUNT', index, later, '+inf') > most then return 'crowded' end
enter(index, id, tonumber(ARGV[3]))
local before = ''
if call('ZSCORE', index, '=' .. what) then
  before = 'confirmed'
else
  if call('ZSCORE', index, '+' .. what) then before = 'reserved' end
  call('ZADD', index, now + RESERVATION, '+' .. what)
end
prune(index, now)
keep_index(index, now)
local members = most and call('ZRANGE', index, '(' .. now, '+inf', 'BYSCORE', 'WITHSCORES') or {}
return { now + RESERVATION, before, members }
