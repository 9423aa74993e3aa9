-- id, owner, ttl, blob, links, schema, version, epoch
--   -> stored version | kept | deleted | unreadable why
local id, version, epoch = ARGV[2], tonumber(ARGV[8]), tonumber(ARGV[9])
if redis.call('EXISTS', P .. 'deleted:' .. id) == 1 then
  return {'deleted'}
end
local record, other = read(id)
if record == false then
  return {'unreadable', other}
elseif record and (record.epoch > epoch or record.epoch == epoch and record.version >= version) then
  return {'kept'}
end
write(id, record or other,
  {version = version, epoch = epoch, owner = ARGV[3], expires = now + ARGV[4]},
  ARGV[5], ARGV[6], ARGV[7])
return {'stored', version}
