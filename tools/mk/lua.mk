# Lua 5.4 from the distribution's source, unmodified: bin/lua. Modules are looked for in /share/lua and beside the script;
# there is no dynamic loading. Debian's patch wants a header that its packaging writes.
LUA := $(THIRD)/lua/src/src
LUA_PARTS := lapi lauxlib lbaselib lcode lcorolib lctype ldblib ldebug ldo ldump lfunc lgc linit liolib llex lmathlib lmem \
  loadlib lobject lopcodes loslib lparser lstate lstring lstrlib ltable ltablib ltm lua lundump lutf8lib lvm lzio
LUA_SRCS := $(LUA_PARTS:%=$(LUA)/%.c)
$(LUA_SRCS): $(THIRD)/lua/src.stamp ;

LUA_HEADER := $(GEN)/lua/lua5.4-deb-multiarch.h
$(LUA_HEADER): tools/mk/lua.mk
	@mkdir -p $(@D)
	@echo '#define DEB_HOST_MULTIARCH "shoal"' >$@

LUA_FLAGS := -w -DLUA_USE_POSIX -I$(GEN)/lua \
  -DLUA_PATH_DEFAULT='"/share/lua/?.lua;/share/lua/?/init.lua;./?.lua;./?/init.lua"' -DLUA_CPATH_DEFAULT='""'
$(eval $(call C_PROGRAM,bin/lua,$(LUA_SRCS),$(LUA_FLAGS),))
$(LUA_SRCS:%.c=$(USER)/programs/bin/lua.dir/%.o): | $(LUA_HEADER)

# The scripts that test it, as /test/lua in the bundle: `lua /test/lua/all.lua`.
LUA_TESTS := $(patsubst tests/lua/%,$(BUILD)/root/test/lua/%,$(wildcard tests/lua/*))
$(BUILD)/root/test/lua/%: tests/lua/%
	@install -D -m 755 $< $@
GUEST_TESTS += run:/test/lua/run
ROOT_FILES += $(LUA_TESTS)
build: $(LUA_TESTS)
