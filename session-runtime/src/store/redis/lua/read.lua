-- SESSION
-- for a proxy, which sends only what has a key to the right server
return { call('GET', KEYS[1]), false, clock() }
