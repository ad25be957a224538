-- SESSION | all that is there, and over
if call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
call('DEL', KEYS[1])
if kind(ARGV[1]) == 'a' then call('DEL', '{' .. KEYS[1] .. '}b') end
return 1
