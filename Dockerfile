# Two small images, without a shell and not run by root:
#   docker build -t swindon .                          the server: docker run -v ./swindon.yaml:/etc/swindon/main.yaml:ro -p 8080:8080 swindon
#   docker build -t swindon-chat --target chat .       the example's backends, see docker-compose.yml
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.build=${VERSION}" -o /out/ ./cmd/swindon ./examples/chat

# wget alone is what health checks need; a single static program.
FROM busybox:1.37-musl AS busybox

FROM gcr.io/distroless/static-debian12:nonroot AS base
COPY --from=busybox /bin/busybox /usr/bin/wget

FROM base AS chat
COPY --from=build /out/chat /usr/bin/chat
ENTRYPOINT ["/usr/bin/chat"]

# The last one is what is built when no target is named.
FROM base AS swindon
COPY --from=build /out/swindon /usr/bin/swindon
ENTRYPOINT ["/usr/bin/swindon"]
