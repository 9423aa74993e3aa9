-- id, owner, ttl, blob, links, schema -> stored | conflict version
local id = ARGV[2]
local record, left = read(id)
if record ~= nil then
  return {'conflict', record and record.version or 0}
end
write(id, left, {version = 1, epoch = 1, owner = ARGV[3], expires = now + ARGV[4]},
  ARGV[5], ARGV[6], ARGV[7])
redis.call('DEL', P .. 'deleted:' .. id)
return {'stored', 1}
