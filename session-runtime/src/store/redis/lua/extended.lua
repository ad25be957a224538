-- SESSION | principal, bound
if call('HGET', KEYS[1], '@principal') == ARGV[1] then call('HSET', KEYS[1], '@bound', ARGV[2]) end
return 1
