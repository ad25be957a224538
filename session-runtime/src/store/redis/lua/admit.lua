-- Sign-ins where session and index are on one server.

local ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

-- As the bytes behind two ids compare.
local function id_before(a, b)
  for i = 1, math.min(#a, #b) do
    if string.byte(a, i) ~= string.byte(b, i) then
      local left = string.find(ALPHABET, string.sub(a, i, i), 1, true) or 0
      return left < (string.find(ALPHABET, string.sub(b, i, i), 1, true) or 0)
    end
  end
  return #a < #b
end

-- `SignIn::admit`: why not, or the ids to end and the entries that are stale.
local function admit(index, id, principal, cap, evict, since, now)
  if revoked_since(index, since) then return 'revoked' end
  if not cap then return nil, {}, {} end
  local others, stale = {}, {}
  for _, other in ipairs(call('ZRANGE', index, 0, -1)) do
    local first = string.byte(other)
    if other ~= id and first ~= 64 and first ~= 43 and first ~= 61 then
      local m = call('HMGET', PREFIX .. other, '@epoch', '@seen', '@idle', '@absolute',
        '@principal', '@authenticated', '@created')
      if not m[1] or m[5] ~= principal then
        table.insert(stale, other)
      elseif now < expires(tonumber(m[2]), tonumber(m[3]), tonumber(m[4])) then
        local proved = tonumber(m[6]) or -1
        table.insert(others, { id = other, proved = proved, created = tonumber(m[7]) })
      end
    end
  end
  local surplus = #others + 1 - cap
  if surplus <= 0 then return nil, {}, stale end
  if not evict then return 'limit' end
  table.sort(others, function(a, b)
    if a.proved ~= b.proved then return a.proved < b.proved end
    if a.created ~= b.created then return a.created < b.created end
    return id_before(a.id, b.id)
  end)
  local ended = {}
  for i = 1, math.min(surplus, #others) do ended[i] = others[i].id end
  return nil, ended, stale
end

-- After the session was written: what `admit` found is done.
local function settle(index, id, bound, principal, ended, stale, now)
  prune(index, now)
  for _, other in ipairs(stale) do call('ZREM', index, other) end
  for _, other in ipairs(ended) do
    destroy(PREFIX .. other, now, principal, 'e')
    call('ZREM', index, other)
  end
  enter(index, id, bound)
  keep_index(index, now)
end
