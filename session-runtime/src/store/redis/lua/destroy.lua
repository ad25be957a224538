-- SESSION | now, principal ('' for any), number, by ('b' or 'e')
-- 1 it was live, 0 it was not
local key, principal = KEYS[1], ARGV[2] ~= '' and ARGV[2] or nil
-- Asked again after a lost answer it says the same.
if call('HGET', key, '@by') == ARGV[3] then return 1 end
if not destroy(key, clock(ARGV[1]), principal, ARGV[4]) then return 0 end
call('HSET', key, '@by', ARGV[3])
return 1
