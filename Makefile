# SPDX-License-Identifier: Apache-2.0

GO            ?= go
BIN           := bin
WEB           := web
GOLANGCI      := v2.15.0
LINTER        := $(BIN)/golangci-lint-$(GOLANGCI)
CLANG         := 19
FUZZTIME      ?= 30s
BENCHTIME     ?= 1s
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS       := -s -w -X main.version=$(VERSION)

export CGO_ENABLED ?= 0

GENERATED     := bpf recommender/wire recommender/store web/src/api

# What each kind of work needs beyond Go, make and Node: tool:package.
NEED_TEST     := nft:nftables gcc:gcc /usr/include/stdlib.h:libc6-dev chromium:chromium
# Debian packages that tests speak with, unpacked below bin/ and not installed; the name
# keeps Go from taking their examples for packages.
UNPACKED      := prometheus prometheus-alertmanager rsyslog rsyslog-gnutls libestr0 libfastjson4 liblognorm5
NEED_GENERATE := clang-$(CLANG):clang-$(CLANG) llvm-strip-$(CLANG):llvm-$(CLANG) \
                 /usr/include/bpf/bpf_helpers.h:libbpf-dev protoc:protobuf-compiler \
                 clang-format-$(CLANG):clang-format-$(CLANG) git:git

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## ---- the two commands ------------------------------------------------------

.PHONY: demo
demo: build ## build everything and start the live demo on http://127.0.0.1:8080 (root)
	@$(BIN)/netcinch-demo $(DEMO_FLAGS)

.PHONY: test
# One after the other below deploy/: a mount namespace that one of them copies would keep
# alive the network namespaces that another removes.
test: ## run every test: unit, BPF, namespaces, page, browser (root for all of them)
	@./deploy/need.sh $(NEED_TEST) unshare:util-linux
	@./deploy/unpack/unpack.sh $(BIN)/_debian $(UNPACKED)
	@$(MAKE) --no-print-directory build
	cd $(WEB) && npm test
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./agent/... ./bpf/... ./recommender/... ./web/...
	CGO_ENABLED=1 $(GO) test -race -timeout 30m -p 1 ./deploy/...
	cd $(WEB) && npm run e2e

## ---- building --------------------------------------------------------------

.PHONY: build
build: web ## build the binaries into bin/, with the page inside
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/netcinch ./recommender
	@if [ "$$(uname -s)" = Linux ]; then \
		$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/netcinch-agent ./agent && \
		$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/netcinch-demo ./deploy/demo; fi

WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/index.html $(WEB)/package-lock.json $(WEB)/vite.config.ts -type f 2>/dev/null)

.PHONY: web
web: $(WEB)/dist/index.html ## build the page into web/dist

$(WEB)/dist/index.html: $(WEB_SOURCES) $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && npm run --silent build

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: cross
cross: $(WEB)/dist/index.html ## check that netcinch builds for macOS and the agent for arm64
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./recommender
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./agent
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./agent

.PHONY: generate
generate: $(WEB)/node_modules/.package-lock.json ## regenerate BPF objects, protobuf code and API types
	@./deploy/need.sh $(NEED_GENERATE)
	$(GO) generate ./bpf/... ./recommender/...
	cd $(WEB) && npm run --silent generate

.PHONY: check-generate
check-generate: generate ## fail when a committed generated file is stale
	git diff --exit-code -- $(GENERATED)
	@test -z "$$(git status --porcelain -- $(GENERATED))" || \
		{ git status --short -- $(GENERATED); echo 'generated files are not committed: run make generate and commit'; exit 1; }

IMAGE_TAG  ?= netcinch
IMAGE_ARCH ?= $(shell $(GO) env GOARCH)

.PHONY: images
# The same sources give the same digests: no path, time or version control goes in.
images: $(WEB)/dist/index.html ## pack both images into bin/images, without a daemon, each with its SBOM
	@mkdir -p $(BIN)/images
	for binary in netcinch:./recommender:65532:65532 netcinch-agent:./agent:0:0; do \
		name=$${binary%%:*}; rest=$${binary#*:}; package=$${rest%%:*}; user=$${rest#*:}; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$(IMAGE_ARCH) $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS) -buildid=' -o $(BIN)/images/$$name $$package || exit 1; \
		(cd deploy/image && $(GO) run . -binary $(CURDIR)/$(BIN)/images/$$name -tag $(IMAGE_TAG)/$$name:$(VERSION) -version $(VERSION) -arch $(IMAGE_ARCH) \
			-user $$user -o $(CURDIR)/$(BIN)/images/$$name.tar) || exit 1; \
	done

.PHONY: check-images
check-images: ## pack images twice and hold their digests against each other
	cd deploy/image && $(GO) test ./...

.PHONY: manifests
manifests: ## render the chart into the plain manifests of deploy/manifests
	cd deploy/chart/render && $(GO) run . -chart .. -values plain-values.yaml > ../../manifests/netcinch.yaml.new
	mv deploy/manifests/netcinch.yaml.new deploy/manifests/netcinch.yaml

.PHONY: check-chart
check-chart: ## render the chart with many values, check it, and fail where the plain manifests are stale
	cd deploy/chart/render && $(GO) test ./...

.PHONY: check-install
check-install: ## try manifests, rights and tokens on a real API server (NETCINCH_LAB: the folder with bin/etcd and bin/kube-apiserver)
	@test -n "$$NETCINCH_LAB" || echo 'check-install: NETCINCH_LAB is not set: NOTHING IS TRIED on a real API server'
	$(GO) test -v -run TestInstalled ./deploy/install

## ---- checking --------------------------------------------------------------

$(LINTER):
	GOBIN=$(CURDIR)/$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	@mv $(BIN)/golangci-lint $@

.PHONY: lint
lint: $(LINTER) $(WEB)/node_modules/.package-lock.json ## lint Go, C and TypeScript
	@./deploy/need.sh clang-format-$(CLANG):clang-format-$(CLANG)
	$(LINTER) run ./...
	clang-format-$(CLANG) --dry-run --Werror $$(git ls-files 'bpf/*.c' 'bpf/*.h')
	cd $(WEB) && npm run --silent lint && npm run --silent typecheck

.PHONY: fmt
fmt: $(LINTER) $(WEB)/node_modules/.package-lock.json ## format Go, C and TypeScript
	$(LINTER) fmt ./...
	clang-format-$(CLANG) -i $$(git ls-files 'bpf/*.c' 'bpf/*.h')
	cd $(WEB) && npm run --silent format

.PHONY: race
race: ## only the Go tests, with the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

.PHONY: bpf-test
bpf-test: ## only the tests that load BPF programs (root)
	$(GO) test ./bpf/... ./agent/...

KERNELS       ?= linux-image-cloud-amd64
NEED_KERNELS  := qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio xz:xz-utils

.PHONY: bpf-kernels
bpf-kernels: ## load and fire the BPF programs on other kernels, in virtual machines (Debian)
	@./deploy/need.sh $(NEED_KERNELS)
	@mkdir -p $(BIN)/kernels
	for package in bpf agent/capture; do \
		CGO_ENABLED=0 $(GO) test -c -o $(BIN)/kernels/$${package##*/}.test ./$$package || exit 1; done
	CGO_ENABLED=0 $(GO) build -o $(BIN)/kernels/netcinch-agent ./agent
	for kernel in $(KERNELS); do nice -n 15 ./deploy/kernels/boot.sh $$kernel 'sh ./fire.sh' deploy/kernels/fire.sh $(BIN)/kernels/* || exit 1; done

.PHONY: e2e
e2e: build ## only the browser test that drives the demo (root)
	@./deploy/need.sh $(NEED_TEST)
	cd $(WEB) && npm run e2e

.PHONY: oracle
oracle: ## hold the policy engine against judges that we did not write (NPGUARD=DIR: np-guard's examples, too)
	cd recommender/policy/oracle && $(GO) test -v -timeout 30m . -npguard '$(if $(NPGUARD),$(abspath $(NPGUARD)))'
	cd recommender/policy/oracle/calico && $(GO) test -v -timeout 30m .

.PHONY: quality
QUALITY_SEEDS ?= 3
quality: ## print the figures of docs/quality.md, and another generator's beside them
	$(GO) test -timeout 60m -v -run 'TestQuality|TestAttacks|TestFalseAlerts' ./recommender/quality -seeds $(QUALITY_SEEDS)
	cd recommender/quality/peer && $(GO) test -timeout 30m -v ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME each
	@for module in . recommender/policy/oracle/calico; do \
		for folder in $$(cd $$module && $(GO) list -f '{{.Dir}}' ./...); do \
			for target in $$(cd $$folder && grep -hoE '^func Fuzz[A-Za-z0-9]+' *_test.go 2>/dev/null | cut -c6-); do \
				echo "== $${folder#$(CURDIR)/} $$target"; \
				(cd $$folder && $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) .) || exit 1; \
			done; \
		done; \
	done

.PHONY: bench
bench: ## print the figures of docs/performance.md (root for the BPF part)
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./bpf/... ./agent/... ./recommender/... ./deploy/e2e
	cd recommender/policy/oracle && $(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) .

.PHONY: load
LOAD_FLAGS ?= -queries
load: ## speak the wire as 500 agents for 10 minutes (LOAD_FLAGS=-help: what else it can)
	$(GO) run ./deploy/load $(LOAD_FLAGS)

.PHONY: vuln
vuln: ## look for known vulnerabilities in what we use (needs the vulnerability database)
	$(GO) tool govulncheck ./...

.PHONY: verify
verify: ## everything that continuous integration runs
	./.ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) $(WEB)/node_modules
	find $(WEB)/dist -mindepth 1 ! -name .gitkeep -delete
