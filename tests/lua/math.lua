-- math: integers, floats, and where they meet.
assert(math.pi - 3.141592653589793 == 0 and math.floor(-3.5) == -4 and math.ceil(3.2) == 4 and 7 // 2 == 3 and -7 % 3 == 2)
assert(math.type(1) == "integer" and math.type(1.0) == "float" and math.type("1") == nil and 1 == 1.0)
assert(math.maxinteger + 1 == math.mininteger and math.tointeger(3.0) == 3 and math.ult(1, -1))
assert(math.abs(math.sin(math.pi / 6) - 0.5) < 1e-15 and math.abs(math.exp(1) - 2.718281828459045) < 1e-15)
assert(math.sqrt(16) == 4.0 and 2 ^ 10 == 1024.0 and math.log(8, 2) == 3.0 and math.fmod(7, 3) == 1)
assert(math.huge > math.maxinteger and -math.huge < 0 and 0 / 0 ~= 0 / 0 and math.max(3, 9, 2) == 9 and math.min(3, -1) == -1)
assert(5 & 3 == 1 and 5 | 3 == 7 and 5 ~ 3 == 6 and ~0 == -1 and 1 << 63 == math.mininteger and -1 >> 63 == 1)
assert(select(2, math.modf(-3.25)) == -0.25 and math.abs(math.atan(1, 1) - math.pi / 4) < 1e-15)
math.randomseed(42)
local first = math.random(1000)
math.randomseed(42)
assert(math.random(1000) == first)
for _ = 1, 1000 do
    local r = math.random(3, 5)
    assert(r >= 3 and r <= 5)
end
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
assert(fib(20) == 6765 and 100000000000000 * 3 == 300000000000000)
assert(not pcall(function() return 1 // 0 end) and 1 // 0.0 == math.huge)
print("ok math")
