# The server. Build with `make image`; for NVIDIA GPUs with `FEATURES=cuda make image`.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
ARG FEATURES=""
# CUDA's compiler comes from PyPI. Nothing of it is in the image: the driver, which the host gives,
# is looked for when the server starts.
RUN case "$FEATURES" in *cuda*) \
        apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv && \
        scripts/with-cuda cargo build --release --locked --bin guichet --features "$FEATURES";; \
    *) cargo build --release --locked --bin guichet --features "$FEATURES";; \
    esac && mkdir /weights /state

FROM debian:bookworm-slim
# Only `guichet pull` needs them; nothing goes out while serving.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/guichet /usr/local/bin/guichet
# Empty, and the server's own: `guichet pull` writes there.
COPY --from=build --chown=10001:10001 /weights /weights
COPY --from=build --chown=10001:10001 /state /state
ENV GUICHET_WEIGHTS=/weights GUICHET_SERVER__STATE_DIR=/state
VOLUME /weights /state
USER 10001:10001
WORKDIR /weights
EXPOSE 8080
# A shell is needed neither here nor below.
HEALTHCHECK --interval=10s --start-period=120s CMD ["/usr/local/bin/guichet", "health"]
ENTRYPOINT ["/usr/local/bin/guichet"]
# Other machines can reach this address, so the file must hold an API key.
CMD ["serve", "--listen", "0.0.0.0:8080", "--config", "/etc/guichet/config.toml"]
