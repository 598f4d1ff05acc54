# The image of a release: the image of Dockerfile, with the program that goreleaser has built for the platform.

ARG GO_VERSION=1.26
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
COPY deploy/compose.yaml deploy/
# A folder for each volume of keys that compose.yaml's service "setup" fills.
RUN for name in $(sed -n 's|.*:/keys/\([a-z]*\)$|\1|p' deploy/compose.yaml); do mkdir -p -m 700 /image/keys/$name; done \
 && mkdir -p /image/data /image/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
ARG TARGETPLATFORM
COPY --from=build /image/etc /etc
# A new volume takes the owner and the mode of the folder that it is mounted on.
COPY --from=build --chown=65532:65532 /image/data /data
COPY --from=build --chown=65532:65532 /image/keys /keys
COPY $TARGETPLATFORM/seqrflow /seqrflow
USER 65532:65532
ENTRYPOINT ["/seqrflow"]
