# The servers of user/servers, their manifests, and the files of etc/ and share/.
BUNDLE_TREE := user/lib/bundle/tree.c
BUNDLE_INCLUDE := -Iuser/lib/bundle/include

$(eval $(call PLAIN_PROGRAM,bin/supervisor,$(wildcard user/servers/supervisor/*.c) $(BUNDLE_TREE),$(BUNDLE_INCLUDE)))
$(eval $(call PLAIN_PROGRAM,bin/names,$(wildcard user/servers/names/*.c) $(BUNDLE_TREE),$(BUNDLE_INCLUDE)))
$(eval $(call PLAIN_PROGRAM,bin/console,$(wildcard user/servers/console/*.c),))
$(eval $(call PLAIN_PROGRAM,bin/process,$(wildcard user/servers/process/*.c) $(BUNDLE_TREE),$(BUNDLE_INCLUDE)))
