# The verbs, one line each. All but `image`, `fixtures` and
# `bench-serve` share the one optimised profile `dev`.

.PHONY: build demo serve test clients prove check bench bench-serve bless image ci fixtures weights

MODEL = smollm2-135m-instruct
GUICHET = target/debug/guichet

build:    ; @scripts/timed "Building (from nothing: about 8 minutes on 2 cores)" cargo build --locked
weights: build ; @scripts/timed "Fetching $(MODEL), unless weights/ has it" $(GUICHET) pull $(MODEL)
demo: weights ; @scripts/timed "Serving $(MODEL) and asking it" $(GUICHET) demo --model $(MODEL)
serve: weights ; exec $(GUICHET) serve --model $(MODEL)
prove: weights ; cargo test --locked --test prove -- --ignored --nocapture --test-threads 1
test: weights ; python3 -m unittest discover -s tests/bench_serve && cargo test --locked && tests/contract/run
clients: weights ; tests/contract/run --all
check:    ; cargo fmt --check && cargo clippy --locked --all-targets -- -D warnings && cargo check --locked --no-default-features && RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
bench: weights ; cargo bench --locked --profile dev --features bench-candle --bench candle && cargo bench --locked --profile dev --bench scheduler --bench decoder --bench kernels
bench-serve: weights ; scripts/bench-serve --write-docs
bless:    ; BLESS=1 cargo test --locked --test api reference
image:    ; scripts/image
ci:       ; $(MAKE) check && $(MAKE) test
fixtures: weights ; scripts/fixtures weights/$(MODEL)
