# make bench: figures as a table and as build/bench.json. BENCH_ARGS="--only kernel,idle" for parts.
BENCH_ARGS ?=
.PHONY: bench
bench: setup
	@$(MAKE) --no-print-directory -s build $(BENCH_RAFT) $(MEMBER_SIM)
	@$(PYTHON) tools/bench.py $(BENCH_ARGS)
