-- require and package.
package.path = "/test/lua/?.lua;" .. package.path
local module = require("module_for_package")
assert(module.answer() == 42 and require("module_for_package") == module and package.loaded.module_for_package == module)
local ok, message = pcall(require, "no.such.module")
assert(not ok and message:find("no field package.preload") and message:find("/test/lua/no/such/module.lua"))
package.preload.made = function(name) return {name = name} end
assert(require("made").name == "made" and package.searchpath("module_for_package", package.path))
assert(package.config:sub(1, 1) == "/" and not package.loadlib("x", "y"))
assert(debug.getinfo(1, "l").currentline == 10 and debug.traceback("here"):find("package.lua"))
assert(dofile("/test/lua/module_for_package.lua").answer() == 42 and loadfile("/no/such") == nil)
print("ok package")
