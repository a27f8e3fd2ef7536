# Shoal. The rules live in tools/mk, one file a part; `make help` lists what there is.
.DEFAULT_GOAL := help
FIRST := $(addprefix tools/mk/,config.mk idl.mk user.mk program.mk)   # what the others are made of
include $(FIRST) $(filter-out $(FIRST),$(sort $(wildcard tools/mk/*.mk)))

.PHONY: help
help:
	@echo 'make run          set everything up, boot three nodes in QEMU, end in the cluster shell  (N= BOOT= MEM= SMP=)'
	@echo 'make test         set everything up, run every test  (parts: test-host test-sim test-guest test-system)'
	@echo 'make build        build all of Shoal        make check   format, includes, static analysis, golden ABI'
	@echo 'make sim          more seeds of the simulator  (SEEDS= SEED=)     make mutants   every planted bug must be found  (ONLY=)'
	@echo 'make nemesis      live clusters in QEMU, harmed for long  (SECONDS= SEED=)'
	@echo 'make fuzz         the fuzz targets for long  (FUZZ_SECONDS= ONLY=)    make coverage  of Raft core, tables and sealing'
	@echo 'make raftd-host   the consensus core behind lines of text, for tools'
	@echo 'make debug        boot with gdb attached    make bench   figures, as table and JSON'
	@echo 'make sdk          build/sdk: headers, libraries and a compiler for programs outside this tree'
	@echo 'make pxe-serve    serve loader, bundle and configuration to machines on a network  (IFACE=)'
	@echo 'make clean        remove what was built (fetched sources stay; clean-all removes them too)'
