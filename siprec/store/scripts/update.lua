-- id, owner, ttl, blob, links, schema, version, epoch
--   -> stored version | absent | unreadable why | owner epoch owner | conflict version
local id, version, epoch = ARGV[2], tonumber(ARGV[8]), tonumber(ARGV[9])
local record, why = read(id)
if record == nil then
  return {'absent'}
elseif not record then
  return {'unreadable', why}
elseif record.epoch > epoch then
  return {'owner', record.epoch, record.owner}
elseif record.version ~= version or record.epoch ~= epoch then
  return {'conflict', record.version}
end
write(id, record, {version = version + 1, epoch = epoch, owner = ARGV[3], expires = now + ARGV[4]},
  ARGV[5], ARGV[6], ARGV[7])
return {'stored', version + 1}
