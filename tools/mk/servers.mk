# The servers of user/servers, their manifests, and the files of etc/ and share/.
BUNDLE_TREE := user/lib/bundle/tree.c
BUNDLE_INCLUDE := -Iuser/lib/bundle/include

$(eval $(call PLAIN_PROGRAM,bin/supervisor,$(wildcard user/servers/supervisor/*.c) $(BUNDLE_TREE),$(BUNDLE_INCLUDE)))
$(eval $(call PLAIN_PROGRAM,bin/names,$(wildcard user/servers/names/*.c) $(BUNDLE_TREE),$(BUNDLE_INCLUDE)))
$(eval $(call PLAIN_PROGRAM,bin/console,$(wildcard user/servers/console/*.c),))
$(eval $(call PLAIN_PROGRAM,bin/process,$(wildcard user/servers/process/*.c) $(BUNDLE_TREE),$(BUNDLE_INCLUDE)))

# $(1) name in the bundle, $(2) file
define BUNDLE_FILE
$(BUILD)/root/$(1): $(2)
	@mkdir -p $$(@D)
	@cp $$< $$@
ROOT_FILES += $(BUILD)/root/$(1)
endef
$(eval $(call BUNDLE_FILE,etc/supervisor.conf,user/servers/supervisor/supervisor.conf))
$(foreach name,names console process,$(eval $(call BUNDLE_FILE,svc/$(name),user/servers/$(name)/$(name).svc)))
$(foreach name,shell agent,$(eval $(call BUNDLE_FILE,svc/$(name),user/bin/sh/$(name).svc)))

# One program under the names of its commands; the bundle holds it once.
SHOAL_COMMANDS := help nodes status raft ps kill top on run lock put get del keys log service reboot poweroff uname hash \
  placements allow txn watch sem barrier elect key
define SHOAL_COMMAND
$(BUILD)/root/bin/$(1): $(BUILD)/root/bin/shoal
	@cp $$< $$@
$(BUILD)/root/sym/bin/$(1): $(BUILD)/root/sym/bin/shoal
	@cp $$< $$@
ROOT_FILES += $(BUILD)/root/bin/$(1) $(BUILD)/root/sym/bin/$(1)
endef
$(foreach name,$(SHOAL_COMMANDS),$(eval $(call SHOAL_COMMAND,$(name))))

# Everything below user/share is share/ in the bundle.
$(foreach file,$(shell find user/share -type f),$(eval $(call BUNDLE_FILE,$(file:user/%=%),$(file))))
