-- INDEX | id, what (id first), bound, since, members? ('m' or '')
-- 'revoked', 'crowded', or {until, how far it was before, {member, score, …}}
local index, id, what = KEYS[1], ARGV[1], ARGV[2]
local now = clock()
if revoked_since(index, ARGV[4]) then return 'revoked' end
if ARGV[5] == 'm' and call('ZCOUNT', index, '(' .. now, '+inf') > CROWD then return 'crowded' end
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
local members = {}
if ARGV[5] == 'm' then
  members = call('ZRANGE', index, '(' .. now, '+inf', 'BYSCORE', 'WITHSCORES')
end
return { now + RESERVATION, before, members }
