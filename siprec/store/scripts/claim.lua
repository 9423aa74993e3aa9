-- id, node, epoch
--   -> record blob version epoch owner remaining | absent | unreadable why | owner epoch owner
local id, node = ARGV[2], ARGV[3]
local record, why = read(id)
if record == nil then
  return {'absent'}
elseif not record then
  return {'unreadable', why}
elseif record.epoch ~= tonumber(ARGV[4]) then
  return {'owner', record.epoch, record.owner}
end
local before = record.owner
record.version, record.epoch, record.owner = record.version + 1, record.epoch + 1, node
redis.call('HSET', record.key, 'version', text(record.version), 'epoch', text(record.epoch),
  'owner', node)
index('ZREM', NODE .. before, id)
link(id, record)
local blob = redis.call('HGET', record.key, 'blob')
return {'record', blob, record.version, record.epoch, node, record.expires - now}
