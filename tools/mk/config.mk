# Compilers, flags and folders that every part shares.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables

BUILD := build
THIRD := $(BUILD)/third_party
GEN   := $(BUILD)/gen
USER  := $(BUILD)/user
PYTHON := /usr/bin/python3

CLANG := clang
LLD   := ld.lld
CLANG_INCLUDE = $(shell $(CLANG) -print-resource-dir)/include

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef

# The kernel, and lib/ as it is linked into the kernel: no FPU registers, no red zone, top 2 GiB of the address space.
KERNEL_CFLAGS = --target=x86_64-unknown-none-elf -std=c11 -ffreestanding -nostdinc -isystem $(CLANG_INCLUDE) -O2 -g \
  -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
  -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
  -ffunction-sections -fdata-sections $(WARN)

# Programs, servers, drivers, and lib/ as it is linked into them. Static, non-PIC, below 2 GiB.
USER_CFLAGS = --target=x86_64-unknown-none-elf -std=gnu11 -nostdlibinc -O2 -g -fno-pic -fno-pie -mno-red-zone \
  -fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common -fno-omit-frame-pointer \
  -ffunction-sections -fdata-sections -D__shoal__=1

# Tests on the host: the same sources, sanitizers on.
HOST_CFLAGS = -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer $(WARN)

PARTS_BUILD :=   # targets that `make build` makes; each part adds its own
.PHONY: build clean clean-all
build: ; @true
clean:
	@find $(BUILD) -mindepth 1 -maxdepth 1 ! -name third_party -exec rm -rf {} + 2>/dev/null || true
clean-all: clean
	@rm -rf $(BUILD)
