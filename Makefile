# Thin recipes; the work is in Meson and tools/.
BUILD     := build
BUILD_SAN := build-san
# Whose backend `demo` and `run` show: aca, azf or gcf.
BACKEND   := aca

.PHONY: all dist deb deb-test deps build build-san demo run test check sim-test-azure sim-test-gcp docker-test test-clients image-test tf-test load-test load-10k soak bench chaos check-model fuzz tsan valgrind configuration fmt analyze clean

all: build

deps: ; @tools/install-deps.sh
build: deps ; @tools/configure.sh $(BUILD) release && ninja -C $(BUILD)
build-san: deps ; @tools/configure.sh $(BUILD_SAN) sanitized && ninja -C $(BUILD_SAN)

# Shows `docker run` and friends on a simulated cloud; exits 0 only if each did what a Docker Engine does.
demo: build ; @tools/demo.sh $(BUILD) $(BACKEND)
# The same stack, to play with; prints the DOCKER_HOST line and stays.
run: build ; @tools/run.sh $(BUILD) $(BACKEND)

test: build-san ; @tools/test.sh $(BUILD_SAN)
check: test
sim-test-azure: build-san ; @tools/test.sh $(BUILD_SAN) --suite sim-azure
sim-test-gcp: build-san ; @tools/test.sh $(BUILD_SAN) --suite sim-gcp
docker-test: build-san ; @tools/install-deps.sh docker-test && tools/test.sh $(BUILD_SAN) --suite docker
# Clients of other languages, fetched from their registries; each skips when it cannot be had.
test-clients: build-san ; @tools/install-deps.sh clients; tests/clients/install.sh $(BUILD_SAN)/clients; tools/test.sh $(BUILD_SAN) --suite clients
# 500 functions at once: their memory and threads.
load-test: build ; @tools/test.sh $(BUILD) --suite load
# 10,000 containers with agent, attach and wait each on one backend; agents are played. SKL_LOAD_CONTAINERS=10000
load-10k: build ; @tests/bench/load_10k.py $(BUILD)
# Short containers at a steady rate, memory and descriptors a minute, and whether they stay flat.
soak: export SOAK_MINUTES ?= 30
soak: export SOAK_RATE ?= 200
soak: build ; @tests/bench/soak.py $(BUILD)
bench: build ; @tools/bench.sh $(BUILD)
# The daemon dies at each of its fault points, each cloud call fails, and both at random, on all three backends.
chaos: build ; @/usr/bin/python3 tests/chaos/chaos.py $(BUILD)
# The resume protocol of agents as a model, every state of it; docs/agent-protocol.md says how it corresponds.
check-model: ; @tools/install-deps.sh check-model && tools/check-model.sh
# The images of Dockerfile, built by a real Engine, and run as deploy/compose.yaml says.
image-test: build-san ; @tools/install-deps.sh image-test && tools/test.sh $(BUILD_SAN) --suite images
# Terraform on every module, with the providers' published schemas; fetches them.
tf-test: build-san ; @tools/tf-test.sh $(BUILD_SAN)
# Each parser under libFuzzer; SECONDS_EACH=60 by default.
fuzz: deps ; @tools/fuzz.sh build-fuzz

# ThreadSanitizer over the unit and simulator suites; slower by a factor of three.
tsan: deps ; @tools/configure.sh build-tsan threads && ninja -C build-tsan && tools/test.sh build-tsan -t 4 --suite unit --suite sim

# docs/configuration.md and the tables of settings, of the option tables in the code.
configuration: build-san ; @tools/make-configuration.py $(BUILD_SAN)/packaging/options
# The release tarball of the commit that is checked out, and Debian packages out of it; both in build-deb.
dist: ; @tools/dist.sh build-deb
deb: ; @tools/install-deps.sh deb && tools/deb.sh build-deb
# Each package on a clean Debian 12 with systemd: installed, used, upgraded, removed.
deb-test: build-san deb ; @tools/deb-test.sh $(BUILD_SAN) build-deb

# Each backend under valgrind, from its start to SIGTERM.
valgrind: build ; @tools/install-deps.sh valgrind && tools/test.sh $(BUILD) --suite valgrind

fmt: ; clang-format -i $$(git ls-files '*.c' '*.h' | grep -v -e settings.c -e /config.c)
# gcc -fanalyzer, clang-tidy and shellcheck; fails on any finding.
analyze: deps ; @tools/analyze.sh
clean: ; rm -rf $(BUILD) $(BUILD_SAN) build-fuzz build-analyze build-tsan build-deb
