-- SESSION | now
-- 1 removed a record, 0 removed none
local m = call('HMGET', KEYS[1], '@epoch', '@seen', '@idle', '@absolute', '@dead')
local now = clock(ARGV[1])
if m[5] then
  if not buried(m[5], now) then call('DEL', KEYS[1]) end
elseif m[1] and now >= expires(tonumber(m[2]), tonumber(m[3]), tonumber(m[4])) + LEEWAY then
  return call('DEL', KEYS[1])
end
return 0
