-- INDEX
prune(KEYS[1], clock())
return 0
