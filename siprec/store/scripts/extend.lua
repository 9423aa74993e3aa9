-- id, ttl, epoch -> stored version | absent | unreadable why | owner epoch owner
local id = ARGV[2]
local record, why = read(id)
if record == nil then
  return {'absent'}
elseif not record then
  return {'unreadable', why}
elseif record.epoch > tonumber(ARGV[4]) then
  return {'owner', record.epoch, record.owner}
end
record.expires = now + ARGV[3]
redis.call('HSET', record.key, 'expires', text(record.expires))
redis.call('PEXPIREAT', record.key, text(record.expires + GRACE))
link(id, record)
return {'stored', record.version}
