# Variables of `make demo`: UPSTREAM, UPSTREAM_KEY, DEMO_LLM, LLM_PORT, LISTEN, DATA, STREAMLIT_PORT (scripts/demo explains them).
.DEFAULT_GOAL := help
.PHONY: help demo streamlit stop build test test-vllm test-schema test-browser test-image lint lint-deploy miri bench-figures bench-retrieval bench-start bench-ttft clean-tools

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: ## Start everything, ask the sample documents a question, leave it running
	@scripts/prerequisites
	@python3 -B scripts/demo start

streamlit: ## Show the page beside `make demo`
	@scripts/prerequisites
	@python3 -B scripts/demo streamlit

stop: ## End what `make demo` started
	@python3 -B scripts/demo stop

build: ## Build target/release/lastro
	@scripts/prerequisites
	cargo build --release --locked

test: ## Run every test, with real models and a real LLM server
	@scripts/prerequisites
	@scripts/test

test-browser: ## Test the Streamlit page in a real browser (NAME=... picks tests)
	@scripts/prerequisites
	@scripts/test-browser $(NAME)

test-vllm: build ## Test against a real vLLM on the CPU (installs 6 GB)
	@scripts/test-vllm

test-schema: ## Try generated requests against the API's description (OPENAI_SPEC=path: OpenAI's too)
	@scripts/prerequisites
	@scripts/test-schema

test-image: build ## Assemble the container image's root without an engine, run it, and check it (as root, on Linux)
	@scripts/test-image target/release/lastro

lint-deploy: ## Check Dockerfiles, Compose, Kubernetes and Cloud Run files against their schemas
	@scripts/lint-deploy

lint: ## Check the formatting, and let clippy warn of nothing
	cargo fmt --all --check
	cargo clippy --release --all-targets --locked -- -D warnings

# Takes long, and wants `rustup component add --toolchain nightly miri rust-src`.
miri: ## Run the tests of the crate of unsafe code in Miri
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --package lastro-kernels --locked

bench-figures: ## Measure start, memory, ingestion and search
	cargo bench --locked --bench figures

# Texts of your own: LASTRO_BENCH_TEXTS=folder,... A million chunks: ARGUMENTS="--chunks 1000000 --only hybrid".
bench-retrieval: ## Measure searches of up to 100,000 chunks, the indexes beside peers, and 10,000 collections
	@scripts/prerequisites
	-python3 scripts/install minilm retrieval
	cargo bench --locked --bench retrieval -- --json target/retrieval.json $(ARGUMENTS)

# The document chat in Python needs the torch of `scripts/vllm-cpu`; without it, it is reported as absent.
bench-start: ## Measure the start, up to the first grounded token, beside Python
	@scripts/prerequisites
	-python3 scripts/install minilm litellm python-chat
	cargo bench --locked --bench start -- --json target/start.json --svg target/start.svg

# Peers that cannot be had are reported as absent by the benchmark itself.
bench-ttft: ## Measure the time added to the first token, beside other proxies
	@scripts/prerequisites
	-python3 scripts/install minilm peers
	cargo bench --locked --bench ttft -- --json target/ttft.json --svg target/ttft.svg

clean-tools: stop ## Remove everything that was installed into .tools/
	rm -rf .tools
