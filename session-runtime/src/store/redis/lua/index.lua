-- The index of a principal is a sorted set:
--   session id      scored with the time by which that session has ended
--   +id number …    a sign-in under way, scored with its own end; see `sign_in.rs`
--   =id number …    one that was confirmed, until then
--   @revoked        scored with the time at which the revocation is forgotten
-- and so everything in it ends by itself.

local function prune(index, now) call('ZREMRANGEBYSCORE', index, '-inf', txt(now)) end

local function keep_index(index, now)
  local last = call('ZRANGE', index, -1, -1, 'WITHSCORES')
  if last[2] then call('PEXPIRE', index, txt(tonumber(last[2]) - now + MARGIN)) end
end

-- Every entry raises the score, so that whoever removes one under its score
-- removes nothing that came since.
local function enter(index, id, bound)
  local old = call('ZSCORE', index, id)
  if old and tonumber(old) >= bound then bound = tonumber(old) + 1 end
  call('ZADD', index, txt(bound), id)
  return bound
end

local function revoked_since(index, since)
  local at = since ~= '' and call('ZSCORE', index, '@revoked')
  return at and tonumber(since) <= tonumber(at) - TICKET_LIFETIME - 1
end
