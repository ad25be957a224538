-- INDEX | member, score ('' for any), …
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' or call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    call('ZREM', KEYS[1], ARGV[i])
  end
end
return 1
