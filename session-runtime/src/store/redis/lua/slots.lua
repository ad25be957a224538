-- no key | first slot, limit
-- {next slot, key, …}: all keys of whole slots, about as many as the limit
local slot, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local me, last, owner = call('CLUSTER', 'MYID'), nil, nil
for _, range in ipairs(call('CLUSTER', 'SLOTS')) do
  if range[1] <= slot and slot <= range[2] then
    if range[3][3] == me then last = range[2] end
    owner = range[3][1] .. ':' .. range[3][2]
  end
end
if not owner then return redis.error_reply('CLUSTERDOWN Hash slot not served') end
-- As for a key: the client learns who has the slot, and asks there.
if not last then return redis.error_reply('MOVED ' .. ARGV[1] .. ' ' .. owner) end
local out = { '' }
last = math.min(last, slot + SLOTS - 1)
while slot <= last and #out - 1 < limit do
  for _, key in ipairs(call('CLUSTER', 'GETKEYSINSLOT', slot, 2147483647)) do
    if is_session(key) then table.insert(out, key) end
  end
  slot = slot + 1
end
out[1] = tostring(slot)
return out
