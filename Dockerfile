# The program alone, without a shell or a package manager, as a user without rights. It writes below /var/lib
# only: run it with --read-only, a volume at /var/lib/rolewise (keys of personal data) and, for an API on KurrentDB, one of
# its own at /var/lib/rolewise-replica.
#
# Base images are pinned by version here; the release process adds their digests when it builds (docs/deploy.md).

FROM golang:1.26.8-bookworm AS build
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -buildvcs=false -ldflags="-s -w" -o /built/rolewise ./cmd/rolewise
# Volumes that are mounted there for the first time take over owner and permissions.
RUN mkdir -p /state/var/lib && mkdir -m 0700 /state/var/lib/rolewise /state/var/lib/rolewise-replica

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /state/ /
COPY --from=build /built/rolewise /rolewise
USER 65532:65532
WORKDIR /var/lib/rolewise
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["/rolewise", "healthcheck"]
ENTRYPOINT ["/rolewise"]
CMD ["--help"]
