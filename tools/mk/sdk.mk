# The SDK: user/sdk/include and the library behind it, its examples as /example/NAME in the bundle, and, with `make sdk`, the
# folder build/sdk with which C programs outside this tree are built: bin/shoal-cc, include/, lib/.
SDK_INCLUDE := -Iuser/sdk/include
$(eval $(call USER_ARCHIVE,libcluster.a,$(wildcard user/sdk/lib/*.c),$(SDK_INCLUDE) $(USER_INCLUDE_C) $(USER_INCLUDE_OS),$(IDL_STAMP) $(NEWLIB_STAMP)))
build: $(USER)/libcluster.a

$(foreach file,$(wildcard user/sdk/examples/*.c),\
  $(eval $(call C_PROGRAM,example/$(basename $(notdir $(file))),$(file),$(SDK_INCLUDE),$(USER)/libcluster.a)))

# What a program may include, each as its own includes expect it: abi/include names abi/*.def by ../../, and the headers of
# libc/newlib and libc/include go on with those of the same name in libc/base.
SDK := $(BUILD)/sdk
SDK_LIBS := $(USER)/libcluster.a $(USER)/libshoal.a $(USER)/libos.a $(USER)/libbase.a $(NEWLIB_LIBS) $(LIBGCC)
SDK_SOURCES := $(shell find user/sdk abi lib/base/include user/libos/include user/libc/newlib user/libc/include -type f)

$(SDK).stamp: $(SDK_SOURCES) $(SDK_LIBS) $(PROGRAM_LD) $(IDL_STAMP) $(NEWLIB_STAMP) tools/mk/sdk.mk tools/mk/config.mk
	@rm -rf $(SDK) && mkdir -p $(SDK)/bin $(SDK)/include $(SDK)/abi $(SDK)/libc $(SDK)/lib $(SDK)/examples
	@cp -r abi/*.def abi/include $(SDK)/abi
	@cp -r user/sdk/include/. user/libos/include/. lib/base/include/. $(SDK)/include
	@mkdir -p $(SDK)/include/idl && cp $(GEN)/idl/*.h $(SDK)/include/idl
	@cp -r user/libc/newlib user/libc/include $(SDK)/libc && cp -r $(NEWLIB)/include $(SDK)/libc/base
	@cp user/sdk/examples/*.c $(SDK)/examples
	@cp $(SDK_LIBS) $(PROGRAM_LD) $(SDK)/lib
	@sed -e 's|@CFLAGS@|$(filter-out -g -O2,$(USER_CFLAGS))|' -e 's|@LDFLAGS@|$(filter-out -T $(PROGRAM_LD),$(PROGRAM_LDFLAGS))|' \
	  -e 's|@LIBS@|$(notdir $(SDK_LIBS))|' user/sdk/shoal-cc.in >$(SDK)/bin/shoal-cc
	@chmod 755 $(SDK)/bin/shoal-cc
	@touch $@

.PHONY: sdk
sdk: build $(SDK).stamp
	@echo 'build/sdk is ready: build/sdk/bin/shoal-cc hello.c -o hello  (docs/howto/use-the-sdk.md)'
