-- id, epoch or '', remember -> removed (1 if it was there) | owner epoch owner
local id, epoch, remember = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local record, left = read(id)
if record and epoch and record.epoch > epoch then
  return {'owner', record.epoch, record.owner}
end
-- What cannot be read goes too: whoever names a record may delete it.
remove(id, record or record == nil and left)
if remember > 0 then
  redis.call('SET', P .. 'deleted:' .. id, 1, 'PX', text(remember))
end
return {'removed', record == nil and 0 or 1}
