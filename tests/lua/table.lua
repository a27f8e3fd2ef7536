-- table: insertion, sorting, packing, moving; metatables.
local t = {5, 2, 8, 1}
table.sort(t)
assert(table.concat(t, " ") == "1 2 5 8")
table.sort(t, function(x, y) return x > y end)
assert(t[1] == 8 and table.remove(t) == 1 and table.remove(t, 1) == 8 and #t == 2)
table.insert(t, 1, "first")
assert(t[1] == "first" and select("#", table.unpack({1, nil, 3}, 1, 3)) == 3 and table.pack(1, nil).n == 2)
assert(table.concat(table.move({1, 2, 3}, 2, 3, 1), ",") == "2,3,3")
local many = {}
for i = 1, 20000 do many[i] = (i * 7919) % 20011 end
table.sort(many)
for i = 2, #many do assert(many[i - 1] <= many[i]) end
assert(not pcall(table.sort, {3, 1, 2, 5, 4, 7, 6}, function() return true end) or true)
local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({x = a.x + b.x}, Vector) end
Vector.__eq = function(a, b) return a.x == b.x end
Vector.__tostring = function(v) return "<" .. v.x .. ">" end
Vector.__call = function(v, n) return v.x * n end
Vector.__len = function(v) return v.x end
Vector.__close = function(v) v.closed = true end
local v = setmetatable({x = 1}, Vector) + setmetatable({x = 2}, Vector)
assert(tostring(v) == "<3>" and v(5) == 15 and #v == 3 and v == setmetatable({x = 3}, Vector))
do local guard <close> = v end
assert(v.closed)
local weak = setmetatable({}, {__mode = "k"})
weak[{}] = 1
collectgarbage()
assert(next(weak) == nil and rawlen({1, 2}) == 2 and rawequal(t, t))
print("ok table")
