-- coroutines, errors, closures, garbage.
local function numbers(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local sum = 0
for i in numbers(100) do sum = sum + i end
assert(sum == 5050)
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error({code = b}) end)
assert(select(2, coroutine.resume(co, 1)) == 2 and coroutine.status(co) == "suspended")
local ok, err = coroutine.resume(co, 7)
assert(not ok and err.code == 7 and coroutine.status(co) == "dead" and not coroutine.isyieldable())
assert(select(2, pcall(error, "text", 0)) == "text" and select(2, xpcall(function() local x = nil; x() end, function(m) return "handled: " .. m end)):find("handled"))
local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
assert(deep(10000) == 10000)
-- (Recursion without end is not tried: a million calls need more memory than a program is given by default.)
-- Recursion through C (gsub calls back) is bounded too, and must not run off the C stack.
local function through_c(s) return (s:gsub(".", through_c)) end
assert(not pcall(through_c, "x"))
local closed = coroutine.create(function() local guard <close> = setmetatable({}, {__close = function() sum = -1 end}) coroutine.yield() end)
coroutine.resume(closed)
assert(coroutine.close(closed) and sum == -1)
local before = collectgarbage("count")
for _ = 1, 200 do local t = {} for i = 1, 100 do t[i] = {i} end end
collectgarbage()
assert(collectgarbage("count") < before + 1000)
local loaded = assert(load("return ... + 1"))
assert(loaded(41) == 42 and not load("syntax error here") and string.dump(loaded))
print("ok coroutine")
