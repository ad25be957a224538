-- INDEX | id, bound
local now = clock()
call('ZREM', KEYS[1], '') -- opens a full server: a touch must not fail
enter(KEYS[1], ARGV[1], tonumber(ARGV[2]))
keep_index(KEYS[1], now)
return 1
