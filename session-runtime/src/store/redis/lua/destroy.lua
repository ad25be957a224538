-- SESSION | by, id, head as read ('' for any)
-- 1 it was live, 0 it was not, -1 there was none; else as it stands
local key, by, id, read = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local value, now = call('GET', key), clock()
if not value then return -1 end
if kind(value) == 't' then
  -- The same end, whose answer was lost, says the same.
  if sub(value, 87, 94) ~= id then return -1 end
  local ended = string.match(value, '^e.(%d+)', sub(value, 10, 14) + 1)
  return tonumber(ended) < tonumber(sub(value, 45, 57)) and 1 or 0
end
if sub(value, 1, #read) ~= read then return as_it_stands(value, '{' .. key .. '}b', now) end
return entomb(key, value, by, id, now) and 1 or 0
