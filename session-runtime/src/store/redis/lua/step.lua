-- SESSION | what, as read, form, base, not after
-- what: nothing for a touch or a confirmation; `p` for a patch that replaces only;
-- else patch id, epoch, `;` or `:` and the stamp of the schemas, operations.
-- as read: the head; without a form its last patches and mark: then the operations
-- replace the tail
-- 0 replaced, -1 too late, a revision: appended; else as it stands
local key, what, read, form = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local base, value = '{' .. key .. '}b', call('GET', key)
-- Nothing has been written since it was read, and its time was judged then. Where the
-- expiry stays, the key's own time ends it: no clock, half of the script's time.
if value and #ARGV == 3 and what ~= '' and string.find(value, read, 1, true) == 1
    and (kind(value) == 'w' or call('EXISTS', base) == 1) and is_alike(value, form) then
  call('SET', key, form, 'KEEPTTL')
  return 0
end

local now = clock()
if not is_open(value, base, now, what == '' and 0 or LEEWAY) then
  return as_it_stands(value, base, now)
end

if form and string.find(value, read, 1, true) == 1 then
  if ARGV[5] and now >= tonumber(ARGV[5]) then return -1 end
  put(key, base, value, form, ARGV[4], now, what == '')
  return 0
end

if #what > 1 then
  local patch, epoch, mark, at = string.match(what, '^(........)(%d+)(.)()')
  local schemas = '.....'
  if mark == ':' then schemas, at = sub(what, at, at + 4), at + 5 end
  local operations = sub(what, at)
  local below, length = value, #value + #operations
  local apart = kind(value) == 'a' and sub(value, 95, 101) or 0
  local same = read and not form and sub(value, 63, 62 + #read) == read
  if same then below = sub(value, 1, tonumber(sub(value, 10, 14))) end
  if sub(value, 1, 1) == '1' and (same or sub(value, 15, 24) - epoch == 0
      and sub(value, 58, 62) == schemas
      and sub(value, 63, 70) ~= patch and sub(value, 71, 78) ~= patch
      and sub(value, 79, 86) ~= patch and sub(value, 87, 94) ~= patch
      and length <= MOST and length + apart <= LIMIT) then
    local rev = sub(value, 25, 34) + 1
    local numbers = string.format('%010d%010d', rev, sub(value, 35, 44) + 1)
    length = string.format('%07d', #below + #operations)
    if #numbers == 20 and #length == 7 then
      call('SET', key, sub(value, 1, 2) .. length .. sub(value, 10, 24) .. numbers
        .. sub(value, 45, 62) .. sub(value, 71, 94) .. patch .. sub(below, 95) .. operations,
        'KEEPTTL')
      return rev
    end
  end
end
return as_it_stands(value, base, now)
