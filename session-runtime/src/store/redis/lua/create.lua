-- SESSION [INDEX] | now, id, expires, bound, made, not after, denial, cap, evict, since,
-- principal, then names and values
-- 1 created, 0 exists, -1 too late; 'limit' or 'revoked' denied
local key, index = KEYS[1], KEYS[2]
local now = clock(ARGV[1])
local there = call('HMGET', key, '@made', '@dead', '@epoch')
if there[1] == ARGV[5] then return 1 end
if there[3] or (there[2] and buried(there[2], now)) then return 0 end
if ARGV[6] ~= '' and now >= tonumber(ARGV[6]) then return -1 end
if ARGV[7] ~= '' then return ARGV[7] end
local bound, principal, denial, ended, stale = tonumber(ARGV[4]), ARGV[11]
if index then
  denial, ended, stale = admit(index, ARGV[2], principal, tonumber(ARGV[8]), ARGV[9] ~= '', ARGV[10], now)
  if denial then return denial end
end
if there[2] then call('DEL', key) end
call('HSET', key, '@made', ARGV[5], unpack(ARGV, 12, math.min(#ARGV, 2011)))
for i = 2012, #ARGV, 2000 do call('HSET', key, unpack(ARGV, i, math.min(#ARGV, i + 1999))) end
keep_until(key, tonumber(ARGV[3]), now)
if index then settle(index, ARGV[2], bound, principal, ended, stale, now) end
return 1
