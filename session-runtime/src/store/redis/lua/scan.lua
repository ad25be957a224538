-- no key | the server's name ('' for any), cursor, limit, pattern
-- {the server's name, cursor, key, …}: about as many keys as the limit
local run = string.match(call('INFO', 'server'), 'run_id:(%x+)') or ''
-- Another server orders its keys in another way: from the beginning.
local cursor = (ARGV[1] == '' or ARGV[1] == run) and ARGV[2] or '0'
local limit, out = tonumber(ARGV[3]), { run, cursor }
for _ = 1, SCAN_STEPS do
  local page = call('SCAN', cursor, 'MATCH', ARGV[4], 'COUNT', math.min(limit, SCAN_STEP))
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if is_session(key) then table.insert(out, key) end
  end
  if cursor == '0' or #out - 2 >= limit then break end
end
out[2] = cursor
return out
