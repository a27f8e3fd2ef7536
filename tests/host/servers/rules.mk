HOST_SRCS_servers := user/servers/supervisor/manifest.c user/servers/names/path.c user/servers/names/pages.c \
  user/servers/names/memfs.c user/lib/bundle/tree.c user/servers/names/pipe.c tests/host/servers/assert.c
HOST_FLAGS_servers := -Ilib/base/include -Iuser/servers -Iuser/lib/bundle/include
