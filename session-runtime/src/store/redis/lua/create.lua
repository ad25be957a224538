-- SESSION | form, base, what is there and over ('' for nothing), not after
-- 1 stored, 0 something else is there, -1 too late
local key, now = KEYS[1], clock()
local there = call('GET', key)
if (there or '') ~= ARGV[3] then return 0 end
if ARGV[4] and now >= tonumber(ARGV[4]) then return -1 end
put(key, '{' .. key .. '}b', there, ARGV[1], ARGV[2], now)
return 1
