-- INDEX | now
prune(KEYS[1], clock(ARGV[1]))
return 0
