# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The whole workspace, never `-p`: features would unify differently from what the tests ran with.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --workspace --bins \
    && install -D target/release/paperwire /out/paperwire \
    && install -d /out/data

# glibc and nothing else: roots, time zones and web assets are compiled in.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/paperwire /usr/local/bin/paperwire
# A new volume takes its owner from here.
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV PAPERWIRE_DATA=/data \
    PAPERWIRE_WEB__LISTEN=0.0.0.0:8787
WORKDIR /data
VOLUME /data
EXPOSE 8787
USER nonroot
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["/usr/local/bin/paperwire", "status"]
ENTRYPOINT ["/usr/local/bin/paperwire"]
CMD ["run"]
