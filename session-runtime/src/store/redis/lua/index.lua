-- The index of a principal is a sorted set:
--   session id      scored with the time by which that session has ended
--   +id number …    a sign-in under way, scored with its own end; see `split.rs`
--   =id number …    one that was confirmed, until then
--   @revoked        scored with the time at which the revocation is forgotten
-- and so everything in it ends by itself. No call looks at more than some entries.

local function prune(index, now)
  local over = call('ZCOUNT', index, '-inf', now)
  if over > 0 then call('ZREMRANGEBYRANK', index, 0, math.min(over, STEP) - 1) end
end

local function keep_index(index, now)
  local last = call('ZRANGE', index, -1, -1, 'WITHSCORES')
  if last[2] then call('PEXPIRE', index, math.max(last[2] - now, 0) + MARGIN) end
end

-- Every entry raises the score, so that removing one under its score removes nothing
-- that came since.
local function enter(index, id, bound)
  local old = call('ZSCORE', index, id)
  if old and tonumber(old) >= bound then bound = old + 1 end
  call('ZADD', index, bound, id)
end

local function counts(index, member, now)
  local bound = call('ZSCORE', index, member)
  return bound and tonumber(bound) > now and 1 or 0
end

local function revoked_since(index, since)
  local at = since ~= '' and call('ZSCORE', index, '@revoked')
  return at and tonumber(since) <= at - TICKET_LIFETIME - 1
end
