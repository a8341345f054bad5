# The verbs, one line each. All but `image`, `fixtures` and
# `bench-serve` share the one optimised profile `dev`.

.PHONY: build demo serve test clients prove check bench bench-serve bless image ci fixtures weights cuda gpu

MODEL = smollm2-135m-instruct
GUICHET = target/debug/guichet

build:    ; @scripts/timed "Building (from nothing: about 8 minutes on 2 cores)" cargo build --locked
weights: build ; @scripts/timed "Fetching $(MODEL), unless weights/ has it" $(GUICHET) pull $(MODEL)
demo: weights ; @scripts/timed "Serving $(MODEL) and asking it" $(GUICHET) demo --model $(MODEL)
serve: weights ; exec $(GUICHET) serve --model $(MODEL)
prove: weights ; cargo test --locked --test prove -- --ignored --nocapture --test-threads 1
test: weights ; python3 -m unittest discover -s tests/bench_serve && python3 -m unittest discover -s tests/gpu_check && tests/cuda_on_cpu/run && cargo test --locked && tests/contract/run
clients: weights ; tests/contract/run --all
check:    ; cargo fmt --check && cargo clippy --locked --all-targets -- -D warnings && cargo check --locked --no-default-features && scripts/with-cuda cargo clippy --locked --all-targets --features cuda -- -D warnings && RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
bench: weights ; cargo bench --locked --profile dev --features bench-candle --bench candle && cargo bench --locked --profile dev --bench scheduler --bench decoder --bench kernels
bench-serve: weights ; scripts/bench-serve --write-docs
cuda:     ; @scripts/timed "Building for NVIDIA GPUs" scripts/with-cuda cargo build --locked --release --features cuda
gpu:      ; scripts/with-cuda scripts/gpu-programs target/gpu && scripts/gpu-check --guichet target/gpu/guichet --decoder target/gpu/decoder --tests 'target/gpu/gpu --ignored'
bless:    ; BLESS=1 cargo test --locked --test api reference
image:    ; scripts/image
ci:       ; $(MAKE) check && $(MAKE) test
fixtures: weights ; scripts/fixtures weights/$(MODEL)
