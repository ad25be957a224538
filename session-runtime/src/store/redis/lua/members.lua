-- INDEX | now, revoke? ('r' or '')
-- member, score, …
local index = KEYS[1]
local now = clock(ARGV[1])
-- Opens a full server, too: see `force`.
prune(index, now)
local all = call('ZRANGE', index, 0, -1, 'WITHSCORES')
if ARGV[2] == 'r' then
  local old = tonumber(call('ZSCORE', index, '@revoked') or '0')
  call('ZADD', index, txt(math.max(old, now + TICKET_LIFETIME + 1)), '@revoked')
  keep_index(index, now)
end
return all
