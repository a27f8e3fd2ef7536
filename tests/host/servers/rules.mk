HOST_SRCS_servers := user/servers/supervisor/manifest.c user/servers/names/path.c user/servers/names/pages.c \
  user/servers/names/memfs.c user/lib/bundle/tree.c user/servers/names/pipe.c user/servers/console/tty.c user/bin/sh/parse.c user/bin/sh/expand.c tests/host/servers/assert.c
HOST_FLAGS_servers := -Ilib/base/include -Iuser/servers -Iuser/bin -Iuser/lib/bundle/include
