-- INDEX
-- all sessions are revoked now; also on a full server, which takes what follows a write
local index, now = KEYS[1], clock()
call('ZREM', index, '')
prune(index, now)
local old = tonumber(call('ZSCORE', index, '@revoked') or '0')
call('ZADD', index, math.max(old, now + TICKET_LIFETIME + 1), '@revoked')
keep_index(index, now)
return 1
