-- id -> record blob version epoch owner remaining | absent | unreadable why
local record, why = read(ARGV[2])
if record then
  local blob = redis.call('HGET', record.key, 'blob')
  return {'record', blob, record.version, record.epoch, record.owner, record.expires - now}
end
return record == nil and {'absent'} or {'unreadable', why}
