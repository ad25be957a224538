-- INDEX | now, id, what (id first), bound ('+' for from now), since, members? ('m' or '')
-- 'revoked', or {bound, until, '' or how far it was before, member, score, …}
-- without this session
local index, id, what = KEYS[1], ARGV[2], ARGV[3]
local now = clock(ARGV[1])
if revoked_since(index, ARGV[5]) then return 'revoked' end
local bound = tonumber(ARGV[4])
if string.byte(ARGV[4]) == 43 then bound = now + tonumber(string.sub(ARGV[4], 2)) end
bound = enter(index, id, bound)
local before = ''
if call('ZSCORE', index, '=' .. what) then
  before = 'confirmed'
else
  if call('ZSCORE', index, '+' .. what) then before = 'reserved' end
  call('ZADD', index, txt(now + RESERVATION), '+' .. what)
end
prune(index, now)
keep_index(index, now)
local out = { txt(bound), txt(now + RESERVATION), before }
if ARGV[6] == 'm' then
  local all = call('ZRANGE', index, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    if all[i] ~= '@revoked' and string.find(all[i], id, 1, true) == nil then
      table.insert(out, all[i])
      table.insert(out, all[i + 1])
    end
  end
end
return out
