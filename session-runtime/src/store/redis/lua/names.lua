local function is_session(key)
  return #key == #PREFIX + ID and string.sub(key, 1, #PREFIX) == PREFIX
end
