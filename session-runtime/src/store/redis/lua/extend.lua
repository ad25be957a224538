-- INDEX | now, id
-- the time up to which the index knows the session from now on
local now = clock(ARGV[1])
local bound = enter(KEYS[1], ARGV[2], now + 2 * MAX_LIFETIME)
keep_index(KEYS[1], now)
return txt(bound)
