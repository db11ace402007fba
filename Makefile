# thanosfs: `make` builds build/release/thanosfs; `make deps` installs what that needs on Debian 12.
#
# One build a variant, each in build/<variant>/: release, debug, asan (with UBSan), tsan.
#   make VARIANT=asan check-units      sources are found by wildcard: a new file edits nothing here.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VARIANT ?= release
B       := build/$(VARIANT)
VERSION := 0.1.0

DEPS_BUILD := gcc g++ make pkg-config libfuse3-dev libcurl4-openssl-dev libsnappy-dev libyaml-dev libjansson-dev \
	libre2-dev libxxhash-dev libmicrohttpd-dev libprotobuf-c-dev protobuf-c-compiler
DEPS_TEST  := fuse3 attr jq curl python3 prometheus clang clang-format libclang-rt-14-dev llvm-14 man-db procps
PKGS       := fuse3 libmicrohttpd jansson yaml-0.1 re2 libxxhash
CC_release := gcc
CC_debug   := gcc
CC_asan    := clang
CC_tsan    := clang
CC         := $(or $(CC_$(VARIANT)),gcc)
CXX        := $(if $(filter clang,$(CC)),clang++,g++)
AR         := $(if $(filter clang,$(CC)),llvm-ar-14,gcc-ar)

WARN     := -Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wwrite-strings -Wundef -Werror
WARN_C   := -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
OPT_release := -O3 -g -flto=auto -DNDEBUG
OPT_debug   := -O0 -g
OPT_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT         := $(OPT_$(VARIANT))
PKG_CFLAGS   = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS     = $(shell pkg-config --libs $(PKGS))
CPPFLAGS_ALL = -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 -DTHANOSFS_VERSION='"$(VERSION)"' \
	$(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu17 -pthread $(OPT) $(WARN) $(WARN_C) $(CFLAGS)
CXXFLAGS_ALL = -std=c++17 -pthread $(OPT) $(WARN) $(CXXFLAGS)
LDFLAGS_ALL  = -pthread $(OPT) $(LDFLAGS)
LIBS_ALL     = $(PKG_LIBS) -lm $(LIBS)

LIB_C   := $(wildcard lib/*/*.c store/*.c dedup/*.c fs/*.c compactor/*.c)
LIB_CC  := $(wildcard lib/*/*.cc)
CMD_C   := $(wildcard cmd/*.c)
LIB_O   := $(LIB_C:%.c=$(B)/%.o) $(LIB_CC:%.cc=$(B)/%.o)
CMD_O   := $(CMD_C:%.c=$(B)/%.o)
UNIT_C  := $(wildcard tests/unit/*.c)
PROP_C  := $(wildcard tests/prop/*.c)
FUZZ_C  := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_C := $(wildcard tests/bench/*.c)
TOOL_C  := $(wildcard tests/gen/*.c)
SUPPORT_C := $(wildcard tests/support/*.c)
SUPPORT_O := $(SUPPORT_C:%.c=$(B)/%.o)
UNITS   := $(UNIT_C:%.c=$(B)/%)
PROPS   := $(PROP_C:%.c=$(B)/%)
REPLAYS := $(FUZZ_C:%.c=$(B)/%)
BENCHES := $(BENCH_C:%.c=$(B)/%)
TOOLS   := $(TOOL_C:%.c=$(B)/%)

.PHONY: all
all: $(B)/thanosfs

$(B)/thanosfs: $(CMD_O) $(B)/libthanosfs.a
	$(CXX) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_ALL)

$(B)/libthanosfs.a: $(LIB_O)
	@rm -f $@
	$(AR) rcs $@ $^

# Flags that changed rebuild what they built.
FLAGS_NOW = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CXXFLAGS_ALL)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: FORCE
FORCE:

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/%.o: %.cc $(B)/flags
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) -MMD -MP -c -o $@ $<

# A test program is its own file, tests/support/ and the library.
$(UNITS) $(PROPS) $(BENCHES) $(TOOLS): $(B)/%: $(B)/%.o $(SUPPORT_O) $(B)/libthanosfs.a
	$(CXX) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_ALL)

# A fuzzer builds two ways: here with a main that replays a corpus, under `make fuzz` with libFuzzer.
$(REPLAYS): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay.o $(B)/libthanosfs.a
	$(CXX) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_ALL)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: tests check-units
tests: $(UNITS) $(PROPS) $(REPLAYS) $(TOOLS)
check-units: $(UNITS)
	@set -e; for t in $(UNITS); do echo "== $$t"; $$t; done

.PHONY: clean
clean:
	rm -rf build
