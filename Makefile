# SPDX-License-Identifier: Apache-2.0
# thanosfs: `make deps all` on Debian 12 leaves the program at build/release/thanosfs. The other targets: `make help`.
#
# One build a variant, each in build/<variant>/: release, debug, asan (with UBSan), tsan, fuzz (libFuzzer).
#   make VARIANT=asan check-units      sources are found by wildcard: a new file edits nothing here.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

VARIANT ?= release
B       := build/$(VARIANT)
VERSION := 0.1.0
PREFIX  ?= /usr/local

# What to build with, what the demo, the tests and the benches need beyond that, and what `make lint` and the sanitizers need.
DEPS_BUILD := gcc g++ libc6-dev make pkg-config libfuse3-dev libyaml-dev libjansson-dev libre2-dev libxxhash-dev \
	libmicrohttpd-dev libssl-dev libcurl4-openssl-dev libexpat1-dev libgnutls28-dev libcrypt-dev zlib1g-dev
DEPS_DEMO  := fuse3 prometheus curl jq python3
DEPS_DEB   := dpkg-dev
DEPS_TEST  := attr faketime memcached procps rclone swift-account swift-container swift-object swift-proxy
DEPS_BENCH := victoria-metrics
DEPS_LINT  := clang clang-format libclang-rt-14-dev llvm-14 man-db shellcheck
PKGS       := fuse3 libmicrohttpd libcurl jansson yaml-0.1 re2 libxxhash libssl libcrypto expat gnutls libcrypt zlib

CC_asan := clang
CC_tsan := clang
CC_fuzz := clang
CC      := $(or $(CC_$(VARIANT)),gcc)
CXX     := $(if $(filter clang,$(CC)),clang++,g++)
AR      := $(if $(filter clang,$(CC)),llvm-ar-14,gcc-ar)

WARN     := -Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wwrite-strings -Wundef -Werror
WARN_C   := -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
# Fat objects: the programs are linked with LTO, the many test programs without, which takes seconds less each.
OPT_release := -O3 -g -flto=auto -ffat-lto-objects -DNDEBUG
OPT_debug   := -O0 -g
OPT_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OPT         := $(OPT_$(VARIANT))
# Asked for once, and only by a recipe: reading this file needs neither pkg-config nor a compiler.
PKG_CFLAGS   = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS) 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS     = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS) 2>/dev/null))$(PKG_LIBS)
CPPFLAGS_ALL = -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 -DTHANOSFS_VERSION='"$(VERSION)"' \
	$(PKG_CFLAGS) $(CPPFLAGS)
# Answers have the same bits whatever instructions a processor has: no product is added without being rounded.
CFLAGS_ALL   = -std=gnu17 -pthread -ffp-contract=off $(OPT) $(WARN) $(WARN_C) $(CFLAGS)
CXXFLAGS_ALL = -std=c++17 -pthread $(OPT) $(WARN) $(CXXFLAGS)
LDFLAGS_ALL  = -pthread $(OPT) $(LDFLAGS)
LIBS_ALL     = $(PKG_LIBS) -lm $(LIBS)

# A line a file, the whole command with V=1.
Q    := $(if $(V),,@)
SAY   = $(if $(V),,@echo '  $(1)	$@')

# tests/support/ is an archive, so that a test gets only what it asks for. A fake_*.c takes the place of a module of the
# library: it is linked into exactly those tests that name it below.
LIB_C     := $(wildcard lib/*/*.c store/*.c dedup/*.c fs/*.c query/*.c compactor/*.c sidecar/*.c receive/*.c rule/*.c)
LIB_CC    := $(wildcard lib/*/*.cc)
CMD_C     := $(wildcard cmd/*.c)
UNIT_C    := $(wildcard tests/unit/*.c)
PROP_C    := $(wildcard tests/prop/*.c)
FUZZ_C    := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_C   := $(wildcard tests/bench/*.c)
GEN_C     := $(wildcard tests/gen/*.c)
PROMQL_C  := $(wildcard tests/promql/*.c)
SUPPORT_C := $(filter-out tests/support/fake_%,$(wildcard tests/support/*.c))
SYS       := $(sort $(filter-out tests/sys/lib.sh,$(wildcard tests/sys/*.sh)))
MAN       := $(wildcard man/*.[1-8])

LIB_O   := $(LIB_C:%.c=$(B)/%.o) $(LIB_CC:%.cc=$(B)/%.o)
CMD_O   := $(CMD_C:%.c=$(B)/%.o)
UNITS   := $(UNIT_C:%.c=$(B)/%)
PROPS   := $(PROP_C:%.c=$(B)/%)
FUZZERS := $(FUZZ_C:%.c=$(B)/%)
BENCHES := $(BENCH_C:%.c=$(B)/%)
GENS    := $(GEN_C:%.c=$(B)/%)
SCRIPTS := $(PROMQL_C:%.c=$(B)/%)

.PHONY: all help
all: $(B)/thanosfs

help:
	@echo 'all        build/release/thanosfs'
	@echo 'deps       install the Debian packages that are missing for any of these'
	@echo 'check      units, properties, corpus replays, system tests (with FUSE, Prometheus and promtool)'
	@echo 'check-sys  the system tests alone; check-units: the units, properties and replays alone'
	@echo 'check-all  check, then all of it again under ASan with UBSan, and under TSan; more kills, longer outages'
	@echo 'promqltest the scripts of queries and answers in DIR=tests/promql'
	@echo 'fuzz       every fuzzer for FUZZ_SECONDS=60'
	@echo 'fuzz-promql random queries to thanosfs query and to Prometheus for FUZZ_SECONDS; PROMQL_SEED=N PROMQL_ONLY=I'
	@echo 'bench      the table of doc/bench.md'
	@echo 'lint       layers, formatting, flags against man pages, both compilers'
	@echo 'demo       two HA clusters in a bucket, mounted, with Prometheus and the query server on it; ONCE=1 ends by itself'
	@echo 'install    to DESTDIR and PREFIX=$(PREFIX); mount helpers to MOUNT_HELPER_DIR=/sbin'
	@echo 'deb        a Debian package, build/thanosfs_$(VERSION)_*.deb'
	@echo 'clean'

$(B)/thanosfs: $(CMD_O) $(B)/libthanosfs.a
	$(call SAY,LINK)
	$(Q)$(CXX) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_ALL)

$(B)/libthanosfs.a: $(LIB_O)
	@rm -f $@
	$(call SAY,AR)
	$(Q)$(AR) rcs $@ $^

$(B)/libsupport.a: $(SUPPORT_C:%.c=$(B)/%.o)
	@rm -f $@
	$(call SAY,AR)
	$(Q)$(AR) rcs $@ $^

# Flags that changed rebuild what they built; where they stand, `make -q` can say that all is built.
FLAGS_NOW = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CXXFLAGS_ALL)
$(B)/flags: $(if $(findstring <$(strip $(FLAGS_NOW))>,<$(strip $(file <$(B)/flags))>),,FORCE)
	@command -v $(CC) >/dev/null && pkg-config --exists $(PKGS) 2>/dev/null || \
		{ echo 'a compiler or a library is missing here: run "make deps" first' >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: FORCE
FORCE:

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/%.o: %.cc $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CXX)
	$(Q)$(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) -MMD -MP -c -o $@ $<

# Objects come before archives, whatever the order of the rules that name them.
LINK = $(CXX) $(LDFLAGS_ALL) $(1) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS_ALL)

$(UNITS) $(PROPS) $(SCRIPTS): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libthanosfs.a
	$(call SAY,LINK)
	$(Q)$(call LINK,-fno-lto)

# What of a subcommand can be tested alone is in no library.
$(B)/tests/unit/mount_flags: $(B)/cmd/mount_flags.o $(B)/cmd/mount_options.o
$(B)/tests/unit/query_print: $(B)/cmd/query_print.o
$(B)/tests/unit/query_flags: $(B)/cmd/query_flags.o
$(B)/tests/unit/mount_secret: $(B)/cmd/mount_secret.o
$(B)/tests/unit/mount_helper: $(B)/cmd/mount_helper.o $(B)/cmd/mount_flags.o $(B)/cmd/mount_options.o

$(BENCHES) $(GENS): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libthanosfs.a
	$(call SAY,LINK)
	$(Q)$(call LINK)

# The filesystem alone, over a view that is not there.
$(B)/tests/gen/fsmount: $(B)/tests/support/fake_view.o

# A fuzzer builds two ways: with a main that replays a corpus, and in the variant fuzz with libFuzzer.
FUZZ_MAIN := $(if $(filter fuzz,$(VARIANT)),,$(B)/tests/fuzz/replay.o)
$(FUZZERS): $(B)/%: $(B)/%.o $(FUZZ_MAIN) $(B)/libsupport.a $(B)/libthanosfs.a
	$(call SAY,LINK)
	$(Q)$(call LINK,$(if $(FUZZ_MAIN),-fno-lto,-fsanitize=fuzzer))

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: deps deps-build deps-demo deps-deb
deps:
	@tools/deps $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_TEST) $(DEPS_BENCH) $(DEPS_DEB) $(DEPS_LINT)
deps-deb:
	@tools/deps $(DEPS_BUILD) $(DEPS_DEB)
deps-build:
	@tools/deps $(DEPS_BUILD)
deps-demo:
	@tools/deps $(DEPS_BUILD) $(DEPS_DEMO)

# A make of its own, since what it is told to build may only have become possible by `deps`.
JOBS   ?= $(shell nproc)
SUBMAKE = @+$(MAKE) $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

# Everything `make check` runs, in this variant.
.PHONY: tests programs
programs: $(B)/thanosfs $(GENS) $(B)/tests/unit/bucket_s3
tests: programs $(SCRIPTS) $(UNITS) $(PROPS) $(FUZZERS)
UNIT_CASES = $(UNITS) $(PROPS) $(FUZZERS)
SYS_CASES  = $(SYS:%=$(VARIANT):%)

.PHONY: check check-units check-sys check-all check-asan check-tsan
check: deps
	$(SUBMAKE) tests
	@tests/run $(UNIT_CASES) $(SYS_CASES)

check-units: deps
	$(SUBMAKE) $(UNIT_CASES)
	@tests/run $(UNIT_CASES)

check-sys: deps
	$(SUBMAKE) programs
	@tests/run $(SYS_CASES)

check-asan check-tsan: check-%: deps
	$(SUBMAKE) VARIANT=$* tests
	@tests/run $(UNIT_CASES:$(B)/%=build/$*/%) $(SYS:%=$*:%)

check-all: export THANOSFS_LONG := 1
check-all: export PROP_FAULTS := 10000
check-all: deps
	$(SUBMAKE) tests
	$(SUBMAKE) VARIANT=asan tests
	$(SUBMAKE) VARIANT=tsan tests
	@tests/run $(foreach v,release asan tsan,$(UNIT_CASES:$(B)/%=build/$(v)/%) $(SYS:%=$(v):%))

# Scripts in the language of Prometheus' promqltest. Ours are run by tests/unit/promql_scripts, too.
DIR ?= tests/promql
.PHONY: promqltest
promqltest: deps
	$(SUBMAKE) $(SCRIPTS)
	@$(B)/tests/promql/run $(DIR)

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: deps
	$(SUBMAKE) VARIANT=fuzz $(FUZZERS:$(B)/%=build/fuzz/%)
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS:$(B)/%=build/fuzz/%)

# Random queries, ours against a Prometheus: the seed, and one query of it, can be given.
.PHONY: fuzz-promql
fuzz-promql: export PROMQL_SECONDS ?= $(FUZZ_SECONDS)
fuzz-promql: deps
	$(SUBMAKE) programs
	@BUILD=$(CURDIR)/$(B) tests/sys/random_promql.sh

.PHONY: bench
bench: deps
	$(SUBMAKE) programs $(BENCHES)
	@tests/bench/run

# The second compiler's opinion, without code.
CLANG_OK := $(patsubst %.c,build/clang/%.ok,$(LIB_C) $(CMD_C) $(UNIT_C) $(PROP_C) $(FUZZ_C) $(BENCH_C) $(GEN_C) \
	$(PROMQL_C) $(SUPPORT_C))
.PHONY: lint check-clang
check-clang: $(CLANG_OK)
build/clang/%.ok: %.c $(B)/flags
	@mkdir -p $(@D)
	@clang $(CPPFLAGS_ALL) -std=gnu17 $(WARN) $(WARN_C) -Wthread-safety -fsyntax-only -MMD -MP -MT $@ -MF $(@:.ok=.d) $<
	@touch $@
-include $(shell find build/clang -name '*.d' 2>/dev/null)

lint: deps
	$(SUBMAKE) $(B)/thanosfs check-clang
	@tests/run tools/lint

# mount(8) looks for helpers nowhere but in /sbin.
BIN_DIR          ?= $(PREFIX)/bin
MOUNT_HELPER_DIR ?= /sbin
UNIT_DIR         ?= $(PREFIX)/lib/systemd/system
.PHONY: install deb
install: $(B)/thanosfs
	install -D -m 755 $(B)/thanosfs $(DESTDIR)$(BIN_DIR)/thanosfs
	install -d $(DESTDIR)$(MOUNT_HELPER_DIR)
	for name in mount.thanosfs mount.fuse.thanosfs; do \
		ln -sf $(BIN_DIR)/thanosfs $(DESTDIR)$(MOUNT_HELPER_DIR)/$$name || exit 1; \
	done
	for page in $(MAN); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	tools/completion $(B)/thanosfs > $(B)/thanosfs.bash
	install -D -m 644 $(B)/thanosfs.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/thanosfs
	sed 's,@BINDIR@,$(BIN_DIR),; s,@MKDIR@,/bin/mkdir,' dist/thanosfs@.service > $(B)/thanosfs@.service
	install -D -m 644 $(B)/thanosfs@.service $(DESTDIR)$(UNIT_DIR)/thanosfs@.service
	install -D -m 644 dist/prometheus-on-thanosfs.conf \
		$(DESTDIR)$(PREFIX)/share/doc/thanosfs/examples/prometheus-on-thanosfs.conf
	install -D -m 644 dist/thanosfs.env.example $(DESTDIR)$(PREFIX)/share/doc/thanosfs/examples/thanosfs.env

deb: deps-deb
	$(SUBMAKE) $(B)/thanosfs
	@tools/deb $(VERSION) $(B)/thanosfs

.PHONY: demo
demo: deps-demo
	$(SUBMAKE) $(B)/thanosfs $(B)/tests/gen/genbucket
	@ONCE=$(ONCE) tools/demo.sh

.PHONY: clean
clean:
	rm -rf build
