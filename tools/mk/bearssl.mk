# The primitives that lib/seal stands on, from the distribution's BearSSL: constant-time code without vector registers.
BEARSSL := $(THIRD)/bearssl/src
BEARSSL_SRCS := $(addprefix $(BEARSSL)/src/,symcipher/chacha20_ct.c symcipher/poly1305_ctmulq.c ec/ec_c25519_m31.c \
  hash/sha2small.c mac/hmac.c kdf/hkdf.c codec/dec32be.c codec/enc32be.c codec/dec32le.c codec/enc32le.c codec/ccopy.c)
BEARSSL_FLAGS := -I$(BEARSSL)/inc -I$(BEARSSL)/src -w -DBR_USE_URANDOM=0 -DBR_USE_UNIX_TIME=0 -DBR_AES_X86NI=0 \
  -DBR_SSE2=0 -DBR_RDRAND=0

# $(1) folder for the objects, $(2) flags: the objects' names are $(call bearssl_objs,$(1)).
bearssl_objs = $(patsubst $(BEARSSL)/src/%.c,$(1)/%.o,$(BEARSSL_SRCS))
define BEARSSL_RULES
$(1)/%.o: $(BEARSSL)/src/%.c
	@mkdir -p $$(@D)
	@$$(CLANG) $(2) $$(BEARSSL_FLAGS) -c $$< -o $$@
endef
$(BEARSSL_SRCS) $(BEARSSL)/inc/bearssl.h: $(THIRD)/bearssl/src.stamp ;

# The archive for test programs.
$(eval $(call BEARSSL_RULES,$(BUILD)/host/bearssl,-O2 -g))
$(BUILD)/host/bearssl.a: $(call bearssl_objs,$(BUILD)/host/bearssl)
	@rm -f $@; ar rcs $@ $^
