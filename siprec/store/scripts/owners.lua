-- -> node, how many living records, of each that has some
local found = {}
for _, owner in ipairs(index('SMEMBERS', OWNERS)) do
  local count = index('ZCOUNT', NODE .. owner, '(' .. text(now), '+inf')
  if count > 0 then
    found[#found + 1] = {owner, count}
  end
end
return found
