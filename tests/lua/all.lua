-- Runs every script of this folder in a state of its own; exits with 0 only if all went well.
local passed, failed = 0, 0
for _, name in ipairs {"string", "table", "math", "io", "os", "utf8", "coroutine", "package"} do
    if not os.execute("lua /test/lua/" .. name .. ".lua") then
        print("FAILED " .. name)
        failed = failed + 1
    else
        passed = passed + 1
    end
end
print("lua: " .. passed .. " passed, " .. failed .. " failed")
os.exit(failed == 0)
