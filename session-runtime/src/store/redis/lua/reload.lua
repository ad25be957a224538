-- SESSION | now, epoch ('' for any), principal ('' for any)
-- 0 absent, -1 gone for good or not theirs; else the hash.
local m = call('HMGET', KEYS[1], '@epoch', '@seen', '@idle', '@absolute', '@principal')
if not m[1] then return -1 end
local now = clock(ARGV[1])
local ends = expires(tonumber(m[2]), tonumber(m[3]), tonumber(m[4]))
if now >= ends + LEEWAY or (ARGV[3] ~= '' and ARGV[3] ~= m[5]) then return -1 end
if now >= ends or (ARGV[2] ~= '' and ARGV[2] ~= m[1]) then return 0 end
return call('HGETALL', KEYS[1])
