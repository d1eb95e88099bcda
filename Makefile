# Trivium: three daemons and a client. `make run` and `make test` set themselves up.
.DEFAULT_GOAL := all
SHELL := /bin/bash

BUILD ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON ?= /usr/bin/python3
SANITIZE ?=
V ?= 0
QUIET = $(if $(filter 0,$(V)),@echo '  $(1) $(@:$(BUILD)/%=%)';)
TINY_LIMITS ?= 0
PROTOCOL_VERSION_MAX ?=# proto/base/limits.h tells
WERROR ?= $(if $(CI),-Werror)

LIBRARIES := libzmq libczmq libprotobuf-c libpcre2-8 jansson libxxhash
HEADERS := openblas# modeld/kernels/openblas.c loads the library itself
CPPFLAGS += -D_GNU_SOURCE -DTINY_LIMITS=$(TINY_LIMITS) $(PROTOCOL_VERSION_MAX:%=-DPROTOCOL_VERSION_MAX=%) -I. -I$(BUILD)/gen
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
CFLAGS ?= -O2 -g
# A loop's speed depends on its own code then, not on how much lies before it in the program.
ALIGN := -falign-functions=64 -falign-loops=32
COMPILE = $(CC) -std=c17 $(CPPFLAGS) $(shell pkg-config --cflags $(LIBRARIES) $(HEADERS)) -ffp-contract=off \
	-fno-math-errno -pthread $(ALIGN) $(CFLAGS) $(SANITIZE) -MMD -MP
LINK = $(CC) $(CFLAGS) $(SANITIZE) -pthread
LIBS = $(shell pkg-config --libs $(LIBRARIES)) -lm -ldl

SCHEMAS := common text tokens logits
GENERATED := $(SCHEMAS:%=$(BUILD)/gen/%.pb-c.c)
PROGRAMS := tokenizerd modeld samplerd trivium

# A program is its main.c (client: and the cmd_*.c) and a library of all the rest, which tests link, too.
sources_below = $(sort $(shell find $(1) -name '*.c'))
tokenizerd_program := tokenizerd/main.c
modeld_program := modeld/main.c
samplerd_program := samplerd/main.c
trivium_program := client/main.c $(shell find client -name 'cmd_*.c')
proto_sources := $(call sources_below,proto)
tokenizerd_sources := $(filter-out $(tokenizerd_program),$(call sources_below,tokenizerd))
modeld_sources := $(filter-out $(modeld_program),$(call sources_below,modeld))
samplerd_sources := $(filter-out $(samplerd_program),$(call sources_below,samplerd))
client_sources := $(filter-out $(trivium_program),$(call sources_below,client))

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ARCHIVES := $(foreach part,tokenizerd modeld samplerd client proto support,$(BUILD)/lib$(part).a)

.SECONDARY:

.PHONY: all programs next next-programs deps run test layers unit e2e soak fuzz fuzz-programs asan asan-unit tsan nomem tiny tsan-run \
	nomem-run compilers valgrind bench bench-hosts model tools clean install \
	uninstall

all: $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/chapter.gguf

# The embedded model lies beside the programs, where --model chapter finds it.
$(BUILD)/chapter.gguf: deploy/chapter/chapter.gguf
	@mkdir -p $(BUILD)
	$(call QUIET,COPY)cp $< $@

$(BUILD)/tokenizerd: $(call object,$(tokenizerd_program)) $(BUILD)/libtokenizerd.a $(BUILD)/libproto.a
$(BUILD)/modeld: $(call object,$(modeld_program)) $(BUILD)/libmodeld.a $(BUILD)/libproto.a
$(BUILD)/samplerd: $(call object,$(samplerd_program)) $(BUILD)/libsamplerd.a $(BUILD)/libproto.a
$(BUILD)/trivium: $(call object,$(trivium_program)) $(BUILD)/libclient.a $(BUILD)/libproto.a
$(BUILD)/trivium: LIBS += $(shell pkg-config --libs libedit)
$(PROGRAMS:%=$(BUILD)/%):
	$(call QUIET,LINK)$(LINK) -o $@ $^ $(LIBS)

$(BUILD)/libproto.a: $(call object,$(proto_sources)) $(GENERATED:.c=.o)
$(BUILD)/libtokenizerd.a: $(call object,$(tokenizerd_sources))
$(BUILD)/libmodeld.a: $(call object,$(modeld_sources))
$(BUILD)/libsamplerd.a: $(call object,$(samplerd_sources))
$(BUILD)/libclient.a: $(call object,$(client_sources))
$(ARCHIVES):
	@rm -f $@
	$(call QUIET,AR  )$(AR) rcs $@ $^

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: proto/%.proto | $(BUILD)/flags
	@mkdir -p $(BUILD)/gen
	$(call QUIET,GEN )protoc-c -I proto --c_out=$(BUILD)/gen $<

# What objects are made with: they are made again when it is something else.
FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) $(WARNINGS) $(value COMPILE) $(value LINK) $(value LIBS)
ifneq ($(file <$(BUILD)/flags),$(FLAGS))
.PHONY: $(BUILD)/flags
endif
$(BUILD)/flags:
	@for tool in $(firstword $(CC)) pkg-config protoc-c; do \
		command -v $$tool > /dev/null || missing="$$missing $$tool"; done; \
	for library in $(LIBRARIES) $(HEADERS) libedit; do \
		pkg-config --exists $$library 2> /dev/null || missing="$$missing $$library"; done; \
	[ -z "$$missing" ] || { echo "missing:$$missing. \`make deps\` installs what the build needs." >&2; exit 1; }
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' > $@

$(BUILD)/gen/%.pb-c.o: $(BUILD)/gen/%.pb-c.c $(GENERATED:.c=.h) $(BUILD)/flags
	$(call QUIET,CC  )$(COMPILE) -c -o $@ $<

# Only these files may use vector instructions; proto/numeric/cpu.c decides at run time what is called.
$(BUILD)/obj/%avx2.o: ISA_FLAGS := -mavx2 -mfma -mf16c $(ISA_SANITIZE)
$(BUILD)/obj/%avx512.o: ISA_FLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c $(ISA_SANITIZE)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(GENERATED:.c=.h)
	@mkdir -p $(@D)
	$(call QUIET,CC  )$(COMPILE) $(WARNINGS) $(ISA_FLAGS) -c -o $@ $<

# Tests: each test_NAME.c below tests/ is a program on cmocka, linked with every library.
UNIT_SOURCES := $(sort $(shell find tests -name 'test_*.c'))
tests_below = $(patsubst %.c,$(BUILD)/tests/%,$(notdir $(filter $(addsuffix /%,$(1)),$(UNIT_SOURCES))))
UNIT_TESTS := $(addprefix $(BUILD)/tests/,$(basename $(notdir $(UNIT_SOURCES))))
$(BUILD)/libsupport.a: $(call object,$(call sources_below,tests/support))
$(foreach source,$(UNIT_SOURCES),$(eval $(BUILD)/tests/$(basename $(notdir $(source))): $(call object,$(source))))
$(UNIT_TESTS): $(ARCHIVES)
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

# Whatever names are looked up there, tests/support/link/name_server.c answers.
NAMED := test_host_name test_join_table test_places
$(NAMED:%=$(BUILD)/tests/%) $(NAMED:%=$(BUILD)/nomem/%): LIBS += -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo

# Programs that only tests use: tests/tools/NAME.c.
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))
$(BUILD)/tests/%: $(BUILD)/obj/tests/tools/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(LINK) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

# A modeld whose passes take as long as a test says.
$(BUILD)/tests/slow_modeld: $(call object,modeld/main.c tests/fakes/slow_forward.c) $(BUILD)/libmodeld.a $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(LINK) -Wl,--wrap=model_forward,--wrap=model_stop -o $@ $^ $(LIBS)

# The other stand-ins for daemons in tests/fakes are Python: a peer in another language, which may misbehave.
PYTHON_SCHEMAS := $(SCHEMAS:%=$(BUILD)/gen/python/%_pb2.py)
$(BUILD)/gen/python/%_pb2.py: proto/%.proto
	@mkdir -p $(@D)
	$(call QUIET,GEN )protoc -I proto --python_out=$(@D) $<
# One of the examples is in Ruby.
RUBY_SCHEMAS := $(BUILD)/gen/ruby/common_pb.rb $(BUILD)/gen/ruby/logits_pb.rb
$(BUILD)/gen/ruby/%_pb.rb: proto/%.proto
	@mkdir -p $(@D)
	$(call QUIET,GEN )protoc -I proto --ruby_out=$(@D) $<
tools: $(TOOLS) $(BUILD)/tests/slow_modeld $(PYTHON_SCHEMAS) $(RUBY_SCHEMAS)

# The programs as they will be when the protocol has its next version, for tests of a rolling upgrade. NEWER are the messages
# with one field more, which tests/fakes/newer.c fills in. What sees neither schemas nor version is that of $(BUILD).
NEXT := $(BUILD)/next
NEWER := Hello Generate Chunk Open Token SampleRequest SampleReply
next: all
	@$(MAKE) --no-print-directory next-programs
next-programs: $(PROGRAMS:%=$(NEXT)/%)
	@:
ifneq ($(filter next-programs,$(MAKECMDGOALS)),)
empty :=
VERSION_HERE := $(or $(strip $(PROTOCOL_VERSION_MAX)),$(shell sed -n 's/^.define PROTOCOL_VERSION_MAX //p' proto/base/limits.h))
NEXT_CPPFLAGS := -DPROTOCOL_VERSION_MAX=$(shell echo $$(($(VERSION_HERE) + 1))) -I$(NEXT)/gen \
	$(filter-out -DPROTOCOL_VERSION_MAX=%,$(CPPFLAGS))
SEE_SCHEMAS := $(patsubst $(BUILD)/obj/%.d,%.c,$(shell grep -rl --include='*.d' 'pb-c\.h' $(BUILD)/obj)) proto/base/options.c
next_object = $(patsubst %.c,$(NEXT)/obj/%.o,$(filter $(SEE_SCHEMAS),$(1)))
library_of = $(patsubst trivium,client,$(1))
$(foreach one,$(PROGRAMS),$(eval $(NEXT)/$(one): \
	$(call next_object,$($(one)_program) $($(call library_of,$(one))_sources) $(proto_sources)) \
	$(call object,$(filter-out $(SEE_SCHEMAS),$($(one)_program))) $(NEXT)/obj/tests/fakes/newer.o $(SCHEMAS:%=$(NEXT)/gen/%.pb-c.o) \
	$(BUILD)/lib$(call library_of,$(one)).a $(BUILD)/libproto.a))
$(NEXT)/trivium: LIBS += $(shell pkg-config --libs libedit)
$(PROGRAMS:%=$(NEXT)/%):
	$(call QUIET,LINK)$(LINK) -Wl,--wrap=peers_send,--wrap=peers_offer,--wrap=hello_fill -o $@ $^ $(LIBS)
$(NEXT)/proto/%.proto: proto/%.proto Makefile
	@mkdir -p $(@D)
	@sed -E '/^message ($(subst $(empty) ,|,$(strip $(NEWER)))) \{/a\  uint32 newer = 1000;' $< > $@
$(NEXT)/gen/%.pb-c.c $(NEXT)/gen/%.pb-c.h: $(NEXT)/proto/%.proto | $(SCHEMAS:%=$(NEXT)/proto/%.proto)
	@mkdir -p $(@D)
	$(call QUIET,GEN )protoc-c -I $(NEXT)/proto --c_out=$(NEXT)/gen $<
$(NEXT)/gen/%.o $(NEXT)/obj/%.o: private CPPFLAGS := $(NEXT_CPPFLAGS)
$(NEXT)/gen/%.o: $(NEXT)/gen/%.c $(SCHEMAS:%=$(NEXT)/gen/%.pb-c.h) $(BUILD)/flags
	$(call QUIET,CC  )$(COMPILE) -c -o $@ $<
$(NEXT)/obj/%.o: %.c $(BUILD)/flags | $(SCHEMAS:%=$(NEXT)/gen/%.pb-c.h)
	@mkdir -p $(@D)
	$(call QUIET,CC  )$(COMPILE) $(WARNINGS) -c -o $@ $<
endif

deps:
	deploy/deps.sh build

model:
	deploy/deps.sh run
	deploy/fetch-model.sh

run:
	@deploy/deps.sh build run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@deploy/run.sh $(BUILD)

# Everything in order: first what needs no daemon (determinism first), then real daemons on real sockets.
TEST_ENV = TRIVIUM_BUILD=$(abspath $(BUILD)) TRIVIUM_MODEL=$$(deploy/fetch-model.sh | tail -n 1)
test:
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory -j$$(nproc) programs next
	@$(MAKE) --no-print-directory layers unit
	@$(MAKE) --no-print-directory e2e

# Which room may include which, and how large things may be: tests/layers/layers.py has the table, sizes.py the limits.
layers:
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/layers/layers.py
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/layers/sizes.py

# All that is compiled, tests included; of tests/fuzz, which libFuzzer runs, the objects.
programs: all tools $(UNIT_TESTS) $(call object,$(call sources_below,tests/fuzz))

# Targets for libFuzzer: tests/fuzz/fuzz_NAME.c. Each runs FUZZ_SECONDS from its corpus; what breaks it lies below build-fuzz.
FUZZ_TARGETS ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 10
FUZZ_WRAPS := zmq_msg_recv zmq_msg_more zmq_msg_send loop_add_socket
FUZZ_INPUT := $(call object,$(call sources_below,tests/fuzz/input))
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_INPUT) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(LINK) -fsanitize=fuzzer $(FUZZ_WRAPS:%=-Wl,--wrap=%) -o $@ $< $(FUZZ_INPUT) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)

# Instrumented, products in vector instructions take minutes to compile; nothing here comes near them.
fuzz:
	@deploy/deps.sh build test check
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=$(BUILD)-fuzz CC=clang CFLAGS="-O1 -g -fno-omit-frame-pointer" \
		SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
		ISA_SANITIZE="-fno-sanitize=fuzzer-no-link,address,undefined" fuzz-programs
	@tests/fuzz/run.sh $(BUILD)-fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

unit: $(UNIT_TESTS)
	@$(TEST_ENV) tests/run-unit.sh $(UNIT_TESTS)

e2e: all tools next
	@$(TEST_ENV) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -q -p no:cacheprovider -c tests/e2e/pytest.ini tests/layers tests/e2e $(PYTEST_FLAGS)

# Many rounds of each kind of fault while texts are written, then a table: tests/kills/soak.py tells of SOAK, SEED and KINDS.
soak: all tools
	@$(TEST_ENV) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/kills/soak.py

# ThreadSanitizer over what has threads, and over the links on real sockets. Left out is what takes minutes: every type and
# shape of the engine's arithmetic, and the real model.
TSAN_TESTS = $(filter-out %/test_model %/test_real_model,$(call tests_below,tests/proto/pool tests/modeld/engine \
	tests/modeld/serve tests/proto/net tests/proto/rows tests/tokenizerd/links tests/modeld/links tests/samplerd/links \
	tests/client/lib))
tsan:
	@deploy/deps.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=$(BUILD)-tsan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
		SANITIZE="-fsanitize=thread" tsan-run
tsan-run: $(BUILD)/tests/racy $(BUILD)/tests/past.so $(TSAN_TESTS)
	@tests/checks/tsan/run.sh $^
$(BUILD)/tests/racy: $(call object,tests/checks/tsan/racy.c) $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(LINK) -o $@ $^ $(LIBS)
$(BUILD)/tests/past.so: tests/checks/tsan/past.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) -O2 -shared -fPIC -o $@ $<

# Each of our allocations on the path of the unit tests fails once: tests/checks/nomem/nomem.h.
SANITIZED = BUILD=$(BUILD)-asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
	SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all"
nomem:
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory -j$$(nproc) $(SANITIZED) nomem-run
# Left out are the two that compute for minutes: tests of smaller models come to the same places, but for the checks of
# gemm_new and model_file_fingerprint.
NOMEM_PROGRAMS ?= $(filter-out test_model test_real_model,$(notdir $(UNIT_TESTS)))
nomem-run: $(NOMEM_PROGRAMS:%=$(BUILD)/nomem/%)
	@$(TEST_ENV) tests/checks/nomem/run.sh $^

ALLOCATIONS := malloc calloc realloc aligned_alloc strdup strndup asprintf vasprintf open_memstream
NOMEM_ARCHIVES := $(patsubst %,$(BUILD)/nomem/lib%.a,tokenizerd modeld samplerd client proto)
$(BUILD)/nomem/lib%.a: $(BUILD)/lib%.a
	@mkdir -p $(@D)
	$(call QUIET,COPY)objcopy $(foreach name,$(ALLOCATIONS),--redefine-sym $(name)=nomem_$(name)) $< $@
$(foreach source,$(UNIT_SOURCES),$(eval $(BUILD)/nomem/$(basename $(notdir $(source))): $(call object,$(source))))
$(UNIT_TESTS:$(BUILD)/tests/%=$(BUILD)/nomem/%): $(call object,$(wildcard tests/checks/nomem/*.c)) $(NOMEM_ARCHIVES) $(BUILD)/libsupport.a
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(LINK) -Wl,--wrap=main,--wrap=abort,--wrap=_cmocka_run_group_tests -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS) -lcmocka

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer; of the real model one short run.
asan:
	@$(MAKE) --no-print-directory $(SANITIZED) PYTEST_FLAGS="-m 'not slow'" test
asan-unit:
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory -j$$(nproc) $(SANITIZED) unit

# Tables that a handful of requests fill: the unit tests, and tests/e2e/tiny beside the daemons of $(BUILD).
tiny:
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=$(BUILD)-tiny TINY_LIMITS=1 programs
	@code=0; $(MAKE) --no-print-directory BUILD=$(BUILD)-tiny TINY_LIMITS=1 unit || code=1; \
		$(TEST_ENV) TRIVIUM_BUILD=$(abspath $(BUILD)-tiny) TRIVIUM_LARGE_BUILD=$(abspath $(BUILD)) PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) -m pytest -q -p no:cacheprovider -c tests/e2e/pytest.ini tests/e2e/tiny || code=1; exit $$code

# Both compilers, no warning, the same bits.
BITS_TESTS := test_fmath test_kernels test_model test_real_model
compilers:
	@deploy/deps.sh build test check
	@for cc in gcc clang; do \
		$(MAKE) --no-print-directory -j$$(nproc) CC=$$cc BUILD=$(BUILD)-$$cc WERROR=-Werror programs && \
		$(TEST_ENV) tests/run-unit.sh $(BITS_TESTS:%=$(BUILD)-$$cc/tests/%) || exit 1; \
	done

valgrind: all tools
	deploy/deps.sh build test check
	@TRIVIUM_BUILD=$(abspath $(BUILD)) tests/valgrind.sh

# Figures, none asserted. LLAMA_BIN=FOLDER puts llama.cpp beside them, in turns; tests/bench/run.py tells of
# MODELS, TYPES, WIDE and ROUNDS.
bench:
	deploy/deps.sh build run test
	@$(MAKE) --no-print-directory all tools
	@$(TEST_ENV) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/run.py

bench-hosts:
	deploy/deps.sh build run test
	@$(MAKE) --no-print-directory all tools
	@$(TEST_ENV) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/hosts.py
	@$(TEST_ENV) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/keys.py

ROOT = $(DESTDIR)$(PREFIX)
SHARE = $(ROOT)/share
UNITS = $(ROOT)/lib/systemd/system

# Man pages are made of what the programs print for --help; completion asks them when it is used.
install: all
	install -d "$(ROOT)/bin" "$(SHARE)/trivium"
	install -m 755 $(PROGRAMS:%=$(BUILD)/%) "$(ROOT)/bin"
	install -m 644 $(BUILD)/chapter.gguf "$(SHARE)/trivium"
	deploy/man.sh $(BUILD) "$(SHARE)/man/man1"
	install -D -m 644 deploy/completion/trivium.zsh "$(SHARE)/zsh/site-functions/_trivium"
	for program in $(PROGRAMS); do install -D -m 644 deploy/completion/trivium.bash \
		"$(SHARE)/bash-completion/completions/$$program" || exit 1; done
	install -d "$(UNITS)"
	sed 's|/usr/local|$(PREFIX)|' deploy/trivium@.service > "$(UNITS)/trivium@.service"

uninstall:
	for program in $(PROGRAMS); do rm -f "$(ROOT)/bin/$$program" "$(SHARE)/man/man1/$$program.1" \
		"$(SHARE)/bash-completion/completions/$$program" || exit 1; done
	rm -f "$(SHARE)/man/man1/trivium-"*.1 "$(SHARE)/zsh/site-functions/_trivium" "$(SHARE)/trivium/chapter.gguf" "$(UNITS)/trivium@.service"
	[ ! -d "$(SHARE)/trivium" ] || rmdir --ignore-fail-on-non-empty "$(SHARE)/trivium"

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
