HOST_SRCS_logstore := lib/base/crc32c.c lib/base/ring.c lib/base/logformat.c user/servers/logstore/superblock.c \
  user/servers/logstore/groups.c user/servers/logstore/scan.c user/servers/logstore/snapshot.c user/servers/logstore/adopt.c \
  user/servers/logstore/serve.c tests/host/logstore/mock_disk.c
HOST_FLAGS_logstore := -Ilib/base/include -Iuser/servers/logstore
