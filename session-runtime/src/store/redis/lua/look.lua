-- SESSION | now, principal ('' for any)
-- 0 not live, -1 gone for good or not theirs; else {authenticated, created}.
local m = call('HMGET', KEYS[1], '@epoch', '@seen', '@idle', '@absolute', '@principal',
  '@authenticated', '@created')
if not m[1] then return -1 end
local now = clock(ARGV[1])
local ends = expires(tonumber(m[2]), tonumber(m[3]), tonumber(m[4]))
if now >= ends + LEEWAY or (ARGV[2] ~= '' and ARGV[2] ~= m[5]) then return -1 end
if now >= ends then return 0 end
return { m[6] or '', m[7] }
