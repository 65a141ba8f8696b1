# The program alone, without a shell or a package manager, as a user without rights. It writes to /var/lib/rolewise only:
# run it with --read-only and a volume there.
#
# Base images are pinned by version here; the release process adds their digests when it builds (docs/deploy.md).

FROM golang:1.26.8-bookworm AS build
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -buildvcs=false -ldflags="-s -w" -o /built/rolewise ./cmd/rolewise
# A volume that is mounted there for the first time takes over owner and permissions.
RUN mkdir -p /state/var/lib/rolewise && chmod 0700 /state/var/lib/rolewise

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
