# The CPU server. Build with `make image`.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin guichet && mkdir /weights

FROM debian:bookworm-slim
# Only `guichet pull` needs them; nothing goes out while serving.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/guichet /usr/local/bin/guichet
# Empty, and the server's own: `guichet pull` writes there.
COPY --from=build --chown=10001:10001 /weights /weights
ENV GUICHET_WEIGHTS=/weights
VOLUME /weights
USER 10001:10001
WORKDIR /weights
EXPOSE 8080
# A shell is needed neither here nor below.
HEALTHCHECK --interval=10s --start-period=120s CMD ["/usr/local/bin/guichet", "health"]
ENTRYPOINT ["/usr/local/bin/guichet"]
# Other machines can reach this address, so the file must hold an API key.
CMD ["serve", "--listen", "0.0.0.0:8080", "--config", "/etc/guichet/config.toml"]
