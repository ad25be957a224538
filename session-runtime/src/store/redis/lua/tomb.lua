-- Makes a tombstone of a session, also on a full server: head and meta, and who ended
-- it when. What a newer release wrote only goes.
local function entomb(key, value, by, id, now)
  -- First what may be on its way to another server: then nothing is done.
  if kind(value) == 'a' then call('DEL', '{' .. key .. '}b') end
  if sub(value, 1, 1) == '1' then
    local meta = sub(value, kind(value) == 'a' and 112 or 95, tonumber(sub(value, 10, 14)))
    local ended = string.format('e%s%.0f', by, now)
    local sizes = string.format('%07d%05d', 94 + #meta + #ended, 94 + #meta)
    local stamp = string.format('%010d', sub(value, 35, 44) + 1)
    call('PEXPIRE', key, TOMBSTONE)
    call('SET', key, '1t' .. sizes .. sub(value, 15, 34) .. stamp .. sub(value, 45, 62)
      .. sub(value, 71, 94) .. id .. meta .. ended, 'KEEPTTL')
  else
    call('DEL', key)
  end
  return now < tonumber(sub(value, 45, 57))
end
