-- INDEX | id, what (id first), since
-- 1 it stands, 0 it was ended meanwhile, -1 all were revoked meanwhile
local index, what = KEYS[1], ARGV[2]
-- Asked again after a lost answer it says the same, whatever came since.
if call('ZSCORE', index, '=' .. what) then return 1 end
if revoked_since(index, ARGV[3]) then
  call('ZREM', index, '+' .. what)
  return -1
end
local ends = call('ZSCORE', index, '+' .. what)
if not ends then return 0 end
call('ZREM', index, '+' .. what)
call('ZADD', index, ends, '=' .. what)
-- Who looked before it was written forgets nothing now.
enter(index, ARGV[1], 0)
return 1
