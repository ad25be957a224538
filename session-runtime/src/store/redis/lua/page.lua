-- INDEX | score and member of the entry before ('' '' from the beginning), limit
-- member, score, …
local index, score, member = KEYS[1], ARGV[1], ARGV[2]
local from = 0
if score ~= '' then
  if call('ZSCORE', index, member) == score then
    from = call('ZRANK', index, member) + 1
  else
    -- It is gone: some with the same score may come again.
    from = call('ZCOUNT', index, '-inf', '(' .. score)
  end
end
return call('ZRANGE', index, from, from + ARGV[3] - 1, 'WITHSCORES')
