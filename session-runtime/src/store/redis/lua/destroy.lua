-- SESSION | now, principal ('' for any)
-- 1 it was live, 0 it was not
local principal = ARGV[2] ~= '' and ARGV[2] or nil
return destroy(KEYS[1], clock(ARGV[1]), principal) and 1 or 0
