# A thin front: meson and ninja build, the scripts in tools/ and tests/ do the rest. `make help` lists the targets.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
export DEBIAN_FRONTEND = noninteractive

BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
LISTEN ?= 127.0.0.1:8080
ORIGIN ?=
FUZZ_SECONDS ?= 60
BENCH_ARGS ?=
SOAK_SECONDS ?= 600
SOAK_ARGS ?=
CONFORMANCE_ARGS ?=
# Narrows `make test`, `make asan` and `make tsan` to the groups whose name contains it: ONLY=unit.
ONLY ?=

SETUP_RELEASE := meson setup $(BUILD)
SETUP_SANITIZER := -Djemalloc=disabled -Doptimization=1
RUN_TESTS := tools/run_tests $(if $(ONLY),--only $(ONLY))
# What a failed build leaves as the last line of a test target.
BUILD_FAILED := { echo "the build failed"; echo "0 passed, 1 failed"; exit 1; }

.PHONY: all deps run test asan tsan fuzz lint format coverage bench soak conformance install clean help

all: deps $(BUILD)/build.ninja ## build/seawall, optimised and hardened (the default)
	@ninja -C $(BUILD) seawall

$(BUILD)/build.ninja:
	@$(SETUP_RELEASE) >/dev/null || { $(SETUP_RELEASE); exit 1; }

deps: ## install what building and testing need, and nothing else
	@tools/deps build test

run: all ## build and serve on $(LISTEN); ORIGIN=http://host:port fronts a service of yours
	@tools/run --binary $(BUILD)/seawall --listen $(LISTEN) $(if $(ORIGIN),--origin $(ORIGIN))

test: deps ## every test; the last line is `N passed, N failed`
	@{ [[ -f $(BUILD)/build.ninja ]] || $(SETUP_RELEASE) >/dev/null || $(SETUP_RELEASE); } && ninja -C $(BUILD) --quiet || $(BUILD_FAILED)
	@$(RUN_TESTS) --build $(BUILD)

asan: deps ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@{ [[ -f build-asan/build.ninja ]] || meson setup build-asan $(SETUP_SANITIZER) -Db_sanitize=address,undefined >/dev/null; } && ninja -C build-asan --quiet || $(BUILD_FAILED)
	@$(RUN_TESTS) --build build-asan --sanitizer asan

tsan: deps ## the tests under ThreadSanitizer
	@{ [[ -f build-tsan/build.ninja ]] || meson setup build-tsan $(SETUP_SANITIZER) -Db_sanitize=thread >/dev/null; } && ninja -C build-tsan --quiet || $(BUILD_FAILED)
	@$(RUN_TESTS) --build build-tsan --sanitizer tsan

fuzz: ## every libFuzzer target for FUZZ_SECONDS (60); ONLY=name runs one
	@tools/deps build fuzz
	@tools/fuzz --seconds $(FUZZ_SECONDS) $(ONLY)

lint: ## format, clang with all warnings and thread-safety analysis, clang-tidy, layers, scripts
	@tools/deps build test lint
	@tools/lint

format: ## rewrite src and tests with clang-format
	@tools/deps lint
	@git ls-files -co --exclude-standard -- 'src/*.cc' 'src/*.h' 'tests/*.cc' 'tests/*.h' | xargs -r clang-format-19 -i

coverage: ## line coverage of the tests, by layer
	@tools/deps build test coverage
	@[[ -f build-coverage/build.ninja ]] || meson setup build-coverage -Db_coverage=true -Doptimization=0 -Djemalloc=disabled >/dev/null
	@ninja -C build-coverage --quiet
	@find build-coverage -name '*.gcda' -delete
	@$(RUN_TESTS) --build build-coverage
	@tools/coverage build-coverage

bench: all ## hits, crowds, storms, an outage, TLS and HTTP/2 next to other caches; BENCH_ARGS=--help tells more
	@tools/deps bench
	@ninja -C $(BUILD) --quiet tests/bench/floor tests/bench/load tests/bench/tls_load tests/bench/policies tests/bench/store_ops tests/bench/disk_bench
	@tests/bench/run.py --build $(BUILD) $(BENCH_ARGS)

soak: all ## SOAK_SECONDS (600) of mixed load with failing origins, after which nothing may be left behind
	@ninja -C $(BUILD) --quiet tests/bench/load
	@tests/bench/soak.py --build $(BUILD) --seconds $(SOAK_SECONDS) $(SOAK_ARGS)

conformance: all ## the public HTTP cache test-suite against build/seawall and the installed peers
	@tools/deps conformance
	@[[ node_modules/.package-lock.json -nt package-lock.json ]] || npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@node --no-warnings tests/conformance/run.mjs --binary $(BUILD)/seawall $(CONFORMANCE_ARGS)

install: ## binary, manual pages and configuration into $(DESTDIR)$(PREFIX)
	@[[ -x $(BUILD)/seawall ]] || { echo "build first: make" >&2; exit 1; }
	install -D -m 0755 $(BUILD)/seawall $(DESTDIR)$(PREFIX)/sbin/seawall
	install -D -m 0644 man/seawall.8 $(DESTDIR)$(PREFIX)/share/man/man8/seawall.8
	install -D -m 0644 man/seawall.toml.5 $(DESTDIR)$(PREFIX)/share/man/man5/seawall.toml.5
	[[ -e $(DESTDIR)$(SYSCONFDIR)/seawall/seawall.toml ]] || install -D -m 0644 conf/seawall.toml $(DESTDIR)$(SYSCONFDIR)/seawall/seawall.toml

clean: ## remove everything that was built
	rm -rf build build-asan build-tsan build-fuzz build-coverage

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done
